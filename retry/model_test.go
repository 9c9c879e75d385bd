package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/retry"
)

// end is how one attempt of a scripted call ends.
type end byte

const (
	endOK end = iota
	endFailure
	endNothingDone // a failure that may be repeated even if the call is not idempotent
	endPermanent
	endIgnored
	endAnswer // an error that is a success
	endHint   // a failure that asks for 3 s
	endLongHint
	endOverload
	endCancel     // the caller leaves during the attempt
	endCancelSoon // the caller leaves half a second after the attempt
	endPanic
	endRejected // by a gate inside
	ends
)

// scripted is a call whose attempts end as written, and the last one as often as it takes.
type scripted struct {
	deadline      time.Duration // 0 is none
	notIdempotent bool
	attempts      []end
}

// scenario is a Retry and its calls, one after the other.
type scenario struct {
	maxAttempts int
	burst       int // 0 is no budget
	calls       []scripted
}

const (
	modelWait  = time.Second
	modelCap   = 4 * time.Second
	modelRatio = 0.25
)

// decode reads a scenario out of any bytes.
func decode(data []byte) scenario {
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	s := scenario{maxAttempts: int(next()%5) - 1, burst: int(next() % 4)}
	for len(data) > 0 && len(s.calls) < 50 {
		head := next()
		call := scripted{deadline: time.Duration(head%8) * 1700 * time.Millisecond, notIdempotent: head&8 != 0}
		for range 1 + head>>6 {
			call.attempts = append(call.attempts, end(next())%ends)
		}
		if s.maxAttempts == retry.Unlimited && call.deadline == 0 {
			call.deadline = 20 * time.Second // else it might never end
		}
		s.calls = append(s.calls, call)
	}
	return s
}

// observed is what can be seen of a call.
type observed struct {
	attempts int
	took     time.Duration
	end      string // name of the counter that moved
	why      error
	tokens   float64
	bare     bool // an error that is not a *retry.Error
}

// reference says what must be seen, in the plainest way: time is a number, and tokens are counted by adding. It throws
// the same dice as the Retry.
type reference struct {
	maxAttempts int
	budget      bool
	burst       float64
	tokens      float64
}

func (m *reference) pay() { m.tokens = min(m.burst, m.tokens+modelRatio) }

func (m *reference) call(c scripted) (o observed) {
	defer func() { o.tokens = m.tokens }()
	now, limit := time.Duration(0), c.deadline
	for o.attempts = 1; ; o.attempts++ {
		e := c.attempts[min(o.attempts, len(c.attempts))-1]
		o.took, o.bare = now, o.attempts == 1
		repeated := o.attempts > 1
		hint := time.Duration(0)
		switch e {
		case endOK:
			m.pay()
			o.end, o.bare = map[bool]string{false: "first_try", true: "recovered"}[repeated], false
			return o
		case endAnswer:
			m.pay()
			o.end = map[bool]string{false: "first_try", true: "recovered"}[repeated]
			return o
		case endPanic:
			o.end, o.bare = "aborted", false
			return o
		case endCancel:
			o.end = "canceled"
			if repeated {
				o.why = context.Canceled
			}
			return o
		case endPermanent, endIgnored:
			o.end = "not_retryable"
			return o
		case endRejected:
			if repeated && m.budget {
				m.tokens = min(m.burst, m.tokens+1)
			}
			o.end = "not_retryable"
			return o
		case endNothingDone:
		case endHint:
			hint = 3 * time.Second
		case endLongHint:
			hint = modelCap
		case endFailure, endOverload, endCancelSoon:
		}
		if c.notIdempotent && e != endNothingDone {
			o.end = "not_retryable"
			return o
		}
		o.bare = false
		if m.maxAttempts == 1 {
			o.end = "not_retryable"
			return o
		}
		switch {
		case m.maxAttempts > 0 && o.attempts == m.maxAttempts:
			o.end, o.why = "exhausted", retry.ErrExhausted
			return o
		case hint > 0:
			hint += time.Duration(dice.Uint64N(uint64(hint/10) + 1))
		}
		wait := hint + modelWait
		switch {
		case limit != 0 && now+wait >= limit:
			o.end, o.why = "out_of_time", retry.ErrOutOfTime
			return o
		case m.budget && m.tokens < 1:
			o.end, o.why = "budget_denied", retry.ErrBudget
			return o
		case e == endCancelSoon:
			o.end, o.why, o.took = "canceled", context.Canceled, now+modelWait/2
			return o
		}
		if m.budget {
			m.tokens--
		}
		now += wait
	}
}

// run plays a call for real.
func (c scripted) run(ctx context.Context, r *retry.Retry) (o observed) {
	if c.deadline != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.deadline)
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.notIdempotent {
		ctx = seawall.NotIdempotent(ctx)
	}
	before := r.Snapshot().Values
	start := time.Now()
	err := func() (err error) {
		defer func() {
			if recover() != nil {
				err = nil
			}
		}()
		return r.Do(ctx, func(context.Context) error {
			o.attempts++
			return c.attempts[min(o.attempts, len(c.attempts))-1].perform(cancel)
		})
	}()
	o.took = time.Since(start)
	for i, v := range r.Snapshot().Values {
		if name := v.Name; v.V != before[i].V && name != "attempts" && name != "budget.available" {
			o.end += name[len("calls."):] // two of them make a name that matches none
		}
	}
	if e, ok := err.(*retry.Error); ok { //nolint:errorlint // it must be one itself
		o.why = e.Why
		if e.Attempts != o.attempts {
			o.why = fmt.Errorf("error says %d attempts", e.Attempts)
		}
	} else {
		o.bare = err != nil
	}
	if b := r.Budget(); b != nil {
		o.tokens = b.Available()
	}
	return o
}

func (e end) perform(cancel context.CancelFunc) error {
	switch e {
	case endOK:
		return nil
	case endNothingDone:
		return &adapterError{seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatAlways}}
	case endPermanent:
		return seawall.Permanent(errDown)
	case endIgnored:
		return &adapterError{seawall.Verdict{Outcome: seawall.Ignored, Repeat: seawall.RepeatAlways}}
	case endAnswer:
		return &adapterError{seawall.Verdict{Outcome: seawall.Success}}
	case endHint:
		return hintError(3 * time.Second)
	case endLongHint:
		return hintError(time.Hour)
	case endOverload:
		return &adapterError{seawall.Verdict{Outcome: seawall.Overload, Repeat: seawall.RepeatIfIdempotent}}
	case endCancel:
		cancel()
	case endCancelSoon:
		time.AfterFunc(modelWait/2, cancel)
	case endPanic:
		panic("boom")
	case endRejected:
		return seawall.Reject("bulkhead", "b", seawall.ReasonFull, seawall.ErrRejected, time.Hour)
	}
	return errDown
}

// check plays a scenario for real and by the reference, and returns the first difference.
func (s scenario) check(t *testing.T) (err error) {
	synctest.Test(t, func(t *testing.T) {
		cfg := retry.Config{
			MaxAttempts: s.maxAttempts, Backoff: steady, MaxRetryAfter: modelCap, OverloadDelay: retry.NoDelay,
			BudgetConfig: seawall.BudgetConfig{Ratio: modelRatio, Burst: s.burst},
		}
		m := &reference{maxAttempts: s.maxAttempts, budget: s.burst > 0}
		m.burst, m.tokens = float64(s.burst), float64(s.burst)
		if !m.budget {
			cfg.Funding, cfg.BudgetConfig = retry.NoBudget, seawall.BudgetConfig{}
		}
		if s.maxAttempts == 0 {
			m.maxAttempts = 3
		}
		r, _ := newRetry(t, cfg)
		for i, call := range s.calls {
			seed := uint64(i)
			want := loaded(seed, func() observed { return m.call(call) })
			if !m.budget {
				want.tokens = 0
			}
			if got := loaded(seed, func() observed { return call.run(t.Context(), r) }); got != want {
				err = fmt.Errorf("call %d %+v: got %+v, want %+v", i, call, got, want)
				return
			}
		}
		attempts, calls := r.Stats().Attempts, r.Stats().Calls()
		if calls != int64(len(s.calls)) || attempts < calls {
			err = errors.New("attempts or calls are miscounted")
		}
	})
	return err
}

// loaded runs f with the dice of a seed.
func loaded(seed uint64, f func() observed) observed {
	defer dice.Load(seed)()
	return f()
}

// shorten drops calls as long as the scenario still fails.
func (s scenario) shorten(t *testing.T) scenario {
	for i := 0; i < len(s.calls); {
		shorter := s
		shorter.calls = slices.Delete(slices.Clone(s.calls), i, i+1)
		if shorter.check(t) != nil {
			s = shorter
		} else {
			i++
		}
	}
	return s
}

func TestRetryMatchesTheReference(t *testing.T) {
	seeds := uint64(1500)
	if testing.Short() || raceEnabled {
		seeds = 300
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 0))
		data := make([]byte, 2+random.IntN(80))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		s := decode(data)
		if err := s.check(t); err != nil {
			shortest := s.shorten(t)
			t.Fatalf("seed %d: %v\nshortest: %+v: %v", seed, err, shortest, shortest.check(t))
		}
	}
}

func FuzzRetryMatchesTheReference(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0xc0, 1, 1, 1, 0})
	f.Add([]byte{4, 1, 0x40, 1, 10, 0x42, 6, 7, 0xc8, 2, 2, 11, 0x01, 9})
	f.Add([]byte{1, 3, 0x80, 1, 5, 0, 0x40, 8, 3, 0x40, 4, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := decode(data).check(t); err != nil {
			t.Error(err)
		}
	})
}
