package papers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivethrottler"
	"github.com/go-kratos/aegis/circuitbreaker/sre"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/ratelimit"
)

// errBusy is how a dependency says that it has no room.
type errBusy struct{}

func (errBusy) Error() string { return "busy" }
func (errBusy) Verdict() seawall.Verdict {
	return seawall.Verdict{Outcome: seawall.Overload, Repeat: seawall.RepeatIfIdempotent}
}

// throttle asks for one call; done is nil if there is to be none.
type throttle func() (done func(error))

// throttled is what comes of a demand in a second.
type throttled struct{ sent, dropped, refusedByAccepted float64 }

// overload offers 1000 calls a second to a dependency that takes 200, for as many minutes, and measures the last two.
func overload(ask throttle) throttled {
	const (
		every, room = time.Millisecond, 200.0 // between calls; calls that are accepted in a second
		answers     = 10                      // calls later
		measured    = 2 * time.Minute
		total       = 6 * time.Minute
	)
	type flight struct {
		done func(error)
		err  error
	}
	var under [answers]flight
	var sent, dropped, accepted, refused float64
	tokens := 0.0
	for i := range int(total / every) {
		time.Sleep(every)
		tokens = min(room/10, tokens+room*every.Seconds())
		f := &under[i%answers]
		if f.done != nil {
			f.done(f.err)
		}
		late := time.Duration(i)*every >= total-measured
		if *f = (flight{done: ask()}); f.done == nil {
			if late {
				dropped++
			}
			continue
		}
		if tokens >= 1 {
			tokens--
		} else {
			f.err = errBusy{}
		}
		if late {
			sent++
			if f.err == nil {
				accepted++
			} else {
				refused++
			}
		}
	}
	return throttled{sent / measured.Seconds(), dropped / measured.Seconds(), refused / accepted}
}

// adaptiveThrottling is the steady state of the SRE book's client-side throttling.
func adaptiveThrottling(t *testing.T, b *book) {
	const seed = 1
	b.given(seed, "1000 calls/s for 6 min at a dependency that accepts 200/s and answers in 10 ms; K = 2, window 2 min; measured from 4 min on")
	defer dice.Load(seed)()
	synctest.Test(t, func(*testing.T) {
		ours := ratelimit.NewThrottle("overload", ratelimit.ThrottleConfig{Registry: silent()})
		got := overload(func() func(error) {
			permit, err := ours.Acquire(t.Context())
			if err != nil {
				return nil
			}
			return func(err error) { permit.Done(err) }
		})
		b.near("sent, 1/s", 400, got.sent, 0.03)
		b.near("dropped by the client, 1/s", 600, got.dropped, 0.03)
		b.near("refused for each accepted", 1, got.refusedByAccepted, 0.03)

		fail := adaptivethrottler.NewBuilder[any]().WithFailureRateThreshold(0.5, 20, 2*time.Minute).Build()
		got = overload(func() func(error) {
			if fail.AcquirePermit() != nil {
				return nil
			}
			return fail.RecordError
		})
		b.beside("failsafe-go, failure rate 0.5 in 2 min: sent, 1/s", number(got.sent),
			"it counts only the calls that it lets through, and none before its end")
		peer := sre.NewBreaker(sre.WithWindow(2*time.Minute), sre.WithBucket(24), sre.WithSuccess(0.5), sre.WithRequest(20))
		got = overload(func() func(error) {
			if peer.Allow() != nil {
				peer.MarkFailed()
				return nil
			}
			return func(err error) {
				if err != nil {
					peer.MarkFailed()
				} else {
					peer.MarkSuccess()
				}
			}
		})
		b.beside("aegis, K = 2, window 2 min: sent, 1/s", number(got.sent), "the same law")
	})
}
