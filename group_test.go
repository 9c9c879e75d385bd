package seawall_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seawall-go/seawall"
)

// keeping is a policy that must be kept when it says so.
type keeping struct {
	seawall.Policy
	keep atomic.Bool
}

func (k *keeping) Keep() bool { return k.keep.Load() }

// T76
func TestGroupForgetsIdleKeysButNeverOneThatMustBeKept(t *testing.T) {
	var made atomic.Int64
	open := &keeping{Policy: seawall.Chain()}
	open.keep.Store(true)
	g := seawall.NewGroup(100, func(key int) *seawall.Pipeline {
		made.Add(1)
		if key == 7 {
			return seawall.Chain(open)
		}
		return seawall.Chain()
	})
	kept := g.For(7)
	for key := range 100_000 {
		g.For(key + 1000)
	}
	if got := g.Len(); got > 101 {
		t.Errorf("%d chains are held, want at most the limit and the kept one", got)
	}
	if g.For(7) != kept {
		t.Error("the chain that must be kept was forgotten")
	}
	open.keep.Store(false)
	for key := range 1000 {
		g.For(key + 500_000)
	}
	if g.For(7) == kept {
		t.Error("a chain that need not be kept any more is still there")
	}
	for key := range g.All() {
		if key != 7 && key < 500_000-100 {
			t.Errorf("key %d is still there", key)
		}
	}
}

// T76
func TestGroupMakesOneChainForAKeyUnderConcurrentUse(t *testing.T) {
	var made atomic.Int64
	g := seawall.NewGroup(10, func(string) *seawall.Pipeline { made.Add(1); return seawall.Chain() })
	var all sync.WaitGroup
	chains := make([]*seawall.Pipeline, 100)
	for i := range chains {
		all.Go(func() { chains[i] = g.For("key") })
	}
	all.Wait()
	for _, c := range chains {
		if c != chains[0] {
			t.Fatal("one key has two chains")
		}
	}
	if made.Load() != 1 {
		t.Errorf("%d chains were made", made.Load())
	}
}

func TestGroupRefusesWhatCannotBe(t *testing.T) {
	for want, make := range map[string]func(){
		"maxKeys is 0, want at least 1": func() { seawall.NewGroup(0, func(int) *seawall.Pipeline { return nil }) },
		"build is nil":                  func() { seawall.NewGroup[int](1, nil) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("panicked with %q, want %q", got, want)
				}
			}()
			make()
		}()
	}
}

func ExampleGroup() {
	tenants := seawall.NewGroup(1000, func(tenant string) *seawall.Pipeline {
		return seawall.Chain() // policies of the tenant's own, with Registry: seawall.DefaultRegistry().Detached()
	})
	first, other := tenants.For("a"), tenants.For("b")
	fmt.Println(first == tenants.For("a"), first == other)
	// Output: true false
}
