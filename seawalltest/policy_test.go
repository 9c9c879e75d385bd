package seawalltest_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/seawalltest"
)

// A chain that is a variable of the program's package hung the scenario without a word.
func TestPolicyOfAChainThatWasMadeOutsideDoesNotHang(t *testing.T) {
	registry := new(seawall.Registry)
	global := seawall.Chain(
		ratelimit.New("global", ratelimit.Config{Rate: 1000, MaxWait: time.Second, Registry: registry}),
		retry.New("global", retry.Config{Registry: registry}),
		breaker.New("global", breaker.Config{Registry: registry}),
	)
	for range 2 {
		r := seawalltest.Run(t, seawalltest.Scenario{
			Arrivals: seawalltest.Poisson(seawalltest.Constant(10)),
			Client:   seawalltest.Policy(func() seawall.Policy { return global }),
			Duration: 2 * time.Minute,
		})
		if got := r.Totals.Goodput(); got < 0.95 {
			t.Errorf("goodput %.3f, want nearly 1", got)
		}
	}
}

func TestNonsenseOfAClientIsSaidAndNotPlayed(t *testing.T) {
	panics := map[string]func(){
		"seawalltest: the function of Policy returned nil, want a policy": func() {
			seawalltest.Policy(func() seawall.Policy { return nil })(&seawalltest.Env{})
		},
		"seawalltest: Plain(0, 1s): want at least one attempt, and a limit above 0": func() { seawalltest.Plain(0, time.Second) },
		"seawalltest: Plain(3, 0s): want at least one attempt, and a limit above 0": func() { seawalltest.Plain(3, 0) },
		"seawalltest: Constant(-1): want a rate of 0 or more":                       func() { seawalltest.Constant(-1) },
		"seawalltest: Constant(NaN): want a rate of 0 or more":                      func() { seawalltest.Constant(math.NaN()) },
	}
	for want, f := range panics {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %v", got, want)
				}
			}()
			f()
		}()
	}
}

// A report said that goodput did not come back to 95 % because it was 100 % at the end.
func TestRecoversDoesNotContradictItself(t *testing.T) {
	bins := make([]seawalltest.Bin, 60)
	for i := range bins {
		bins[i] = seawalltest.Bin{At: time.Duration(i) * time.Second, Offered: 100, Good: 100}
	}
	bins[52].Good = 10
	r := &seawalltest.Report{Bins: bins, Width: time.Second}
	var said said
	r.Recovers(&said, 50*time.Second, 3*time.Second, 0.95)
	r.Recovers(&said, 58*time.Second, time.Second, 0.95)
	bins[52].Good, bins[56].Good = 100, 10
	r.Recovers(&said, 50*time.Second, 3*time.Second, 0.95)
	for i, want := range []string{
		"", // back at 53 s
		"whether goodput came back to 95 % cannot be told: the trigger ends at 58s, and the scenario at 1m0s, which is less than 5s later",
		"goodput did not come back to 95 % for good: in the 5s from 55s on it was still 82.0 %",
	} {
		if want != "" && (len(said.texts) < i || !strings.HasPrefix(said.texts[i-1], want)) {
			t.Errorf("%q, want %q", said.texts, want)
		}
	}
}

// said is a test that keeps what it is told.
type said struct {
	testing.TB
	texts []string
}

func (s *said) Helper() {}

func (s *said) Errorf(format string, args ...any) {
	s.texts = append(s.texts, fmt.Sprintf(format, args...))
}
