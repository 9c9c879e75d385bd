package mono_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/internal/mono"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestNowFollowsTheFakeClockOfABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := mono.Now()
		time.Sleep(time.Hour)
		if passed := mono.Now() - begin; passed != time.Hour {
			t.Errorf("an hour took %v", passed)
		}
	})
}

func TestTimesAndReadingsAreTheSame(t *testing.T) {
	now := time.Now()
	if d := mono.Of(now); !mono.Time(d).Equal(now) || mono.Now() < d {
		t.Errorf("%v is read as %v, which is %v", now, d, mono.Time(d))
	}
}

func TestNowNeverGoesBack(t *testing.T) {
	last := mono.Now()
	for range 100_000 {
		now := mono.Now()
		if now < last {
			t.Fatalf("%v came after %v", now, last)
		}
		last = now
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		mono.Now()
	}
}
