package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// A body that is read slowly is no slow dependency, and yet a body that breaks is a failure.
func TestTimeAfterTheAnswerIsNotTheDependencys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{Slow: breaker.SlowCalls{Over: time.Second}, Window: breaker.Window{Time: time.Hour}})
		var open []*seawall.Permit
		for range 30 {
			p := acquire(t, b)
			time.Sleep(10 * time.Millisecond)
			p.Answered()
			p.Answered() // changes nothing
			open = append(open, p)
		}
		time.Sleep(time.Minute)
		wantState(t, b, breaker.Closed)
		for i, p := range open[:20] {
			if !p.Done(outcomes[i%2].err) {
				t.Error("an end was dropped")
			}
			if i == 18 {
				wantState(t, b, breaker.Closed)
				if s := b.Stats(); s.Slow != 0 || s.Hung != 0 || s.Calls != (breaker.Counts{Successes: 10, Failures: 9}) {
					t.Errorf("counted %+v", s)
				}
			}
		}
		wantState(t, b, breaker.Open) // of 20, half have failed
	})
}

// T48
func TestAnAnswerThatComesLateIsSlowHoweverLongItsBodyTakes(t *testing.T) {
	for name, passes := range map[string]time.Duration{"before it is noticed": time.Second, "after": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(breaker.Config{
					Slow: breaker.SlowCalls{Over: time.Second}, Window: breaker.Window{Time: time.Hour}, MinCalls: 100,
				})
				var open []*seawall.Permit
				for range 10 {
					open = append(open, acquire(t, b))
				}
				time.Sleep(passes)
				b.State()
				for _, p := range open {
					p.Answered()
				}
				time.Sleep(time.Minute)
				for _, p := range open {
					p.Done(nil)
				}
				if s := b.Stats(); s.Slow != 10 || s.Hung != 0 || s.Calls != (breaker.Counts{Successes: 10}) {
					t.Errorf("counted %+v", s)
				}
			})
		})
	}
}

// T1
func TestAnAnswerOfAnEarlierGenerationIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{Slow: breaker.SlowCalls{Over: time.Second}})
		p, q := acquire(t, b), acquire(t, b)
		p.Answered()
		for range 20 {
			acquire(t, b).Done(errDown)
		}
		wantState(t, b, breaker.Open)
		q.Answered()
		if p.Done(nil) || q.Done(nil) || b.Stats().Late != 2 {
			t.Errorf("late ends counted: %+v", b.Stats())
		}
	})
}

// T4
func TestAProbeWhoseAnswerHasBegunStillHasToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 1, Probes: breaker.Probes{Calls: 2}})
		acquire(t, b).Done(errDown)
		time.Sleep(2 * time.Second)
		p, q := acquire(t, b), acquire(t, b)
		p.Answered()
		q.Answered()
		reject(t, b)
		p.Done(nil)
		q.Done(nil)
		wantState(t, b, breaker.Closed)
		if keep := b.Keep(); keep {
			t.Error("nothing is in flight, and it must be kept")
		}
	})
}
