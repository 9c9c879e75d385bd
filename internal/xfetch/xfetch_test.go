package xfetch_test

import (
	"math"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/internal/xfetch"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const (
	delta = 300 * time.Millisecond
	beta  = 1.5
)

// P(−ln U ≥ x) = e^−x, so that far from the expiry is as likely as the paper says.
func TestEarlyIsAsLikelyAsThePaperSays(t *testing.T) {
	defer dice.Load(1)()
	const draws = 200_000
	for _, left := range []time.Duration{0, 100 * time.Millisecond, 450 * time.Millisecond, time.Second} {
		early := 0
		for range draws {
			if xfetch.Early(left, delta, beta, dice.Float64()) {
				early++
			}
		}
		want := math.Exp(-float64(left) / (beta * float64(delta)))
		if got := float64(early) / draws; math.Abs(got-want) > 4*math.Sqrt(want*(1-want)/draws) {
			t.Errorf("%v before the expiry: %.4f of the requests refresh, want %.4f", left, got, want)
		}
	}
}

func TestNothingIsEarlyOutOfReach(t *testing.T) {
	nearlyOne := math.Nextafter(1, 0)
	if reach := xfetch.Reach(delta, beta); xfetch.Early(reach+1, delta, beta, nearlyOne) {
		t.Errorf("early more than %v before the expiry", reach)
	}
	if !xfetch.Early(0, delta, beta, 0) {
		t.Error("not early at the expiry")
	}
	if reach := xfetch.Reach(math.MaxInt64, 1000); reach <= 0 {
		t.Errorf("the reach overflows to %v", reach)
	}
}
