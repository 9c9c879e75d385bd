package dice_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func draw() []uint64 {
	return []uint64{dice.Uint64(), dice.Uint64N(1 << 60), uint64(dice.Float64() * (1 << 60))}
}

func loaded(seed uint64) []uint64 {
	unload := dice.Load(seed)
	defer unload()
	return draw()
}

func TestLoadedDiceRepeatTheirSeedAndOthersDoNot(t *testing.T) {
	first := loaded(1)
	if again := loaded(1); !slices.Equal(first, again) {
		t.Errorf("seed 1 gave %v and then %v", first, again)
	}
	if other := loaded(2); slices.Equal(first, other) {
		t.Errorf("seeds 1 and 2 both gave %v", other)
	}
	if free := draw(); slices.Equal(free, first) || slices.Equal(free, draw()) {
		t.Error("unloaded dice repeat themselves")
	}
}

func TestDiceStayInTheirRange(t *testing.T) {
	for _, seed := range []uint64{0, 1} {
		if seed > 0 {
			defer dice.Load(seed)()
		}
		for range 10_000 {
			if n := dice.Uint64N(3); n > 2 {
				t.Fatalf("Uint64N(3) is %d", n)
			}
			if f := dice.Float64(); f < 0 || f >= 1 {
				t.Fatalf("Float64 is %v", f)
			}
		}
	}
}

// Run under -race: simulations have many goroutines.
func TestLoadedDiceAreSharedByGoroutines(t *testing.T) {
	defer dice.Load(3)()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				draw()
			}
		})
	}
	all.Wait()
}
