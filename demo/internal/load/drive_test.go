package load_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
)

func TestDriveSendsEachAtItsTimeWhateverHappensToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config()
		begin := time.Now()
		sent := 0
		err := load.Drive(t.Context(), begin, c.Arrivals(), func(r load.Request) {
			sent++
			if now := time.Since(begin); now != r.At {
				t.Errorf("arrival %d is sent at %v, want %v", r.N, now, r.At)
			}
			go time.Sleep(time.Second) // an answer that takes long
		})
		if want := len(slices.Collect(c.Arrivals())); sent != want || err != nil {
			t.Errorf("sent %d of %d, %v", sent, want, err)
		}
		time.Sleep(time.Second)
	})
}

// An open loop owes the requests that it could not send in time: else a slow machine would have fewer customers.
func TestDriveDoesNotDropWhatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		arrivals := []load.Request{
			{N: 1, At: 0}, {N: 2, At: 5 * time.Second}, {N: 3, At: 6 * time.Second}, {N: 4, At: 20 * time.Second},
		}
		var at []time.Duration
		err := load.Drive(t.Context(), begin, slices.Values(arrivals), func(r load.Request) {
			at = append(at, time.Since(begin))
			if r.N == 1 {
				time.Sleep(10 * time.Second) // the machine stood still
			}
		})
		want := []time.Duration{0, 10 * time.Second, 10 * time.Second, 20 * time.Second}
		if !slices.Equal(at, want) || err != nil {
			t.Errorf("sent at %v, %v; want %v", at, err, want)
		}
	})
}

func TestDriveEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(1500*time.Millisecond, func() { cancel(stop) })
		begin := time.Now()
		arrivals := []load.Request{{N: 1, At: time.Second}, {N: 2, At: time.Hour}}
		sent := 0
		err := load.Drive(ctx, begin, slices.Values(arrivals), func(load.Request) { sent++ })
		if took := time.Since(begin); sent != 1 || took != 1500*time.Millisecond || !errors.Is(err, stop) {
			t.Errorf("sent %d in %v, %v", sent, took, err)
		}
	})
}

func TestLateIsMoreThanTenMilliseconds(t *testing.T) {
	a := load.Answer{Request: load.Request{At: time.Second}, Sent: time.Second + load.LateAfter, Done: 3 * time.Second}
	if a.Late() {
		t.Error("exactly on the limit is late")
	}
	a.Sent++
	if !a.Late() || a.Latency() != 2*time.Second {
		t.Errorf("late %v, latency %v", a.Late(), a.Latency())
	}
}
