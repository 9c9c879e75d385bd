package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/timeout"
)

// The context of a call beside its twin, one of the standard library with the same limit: whatever is done to both, in
// whatever order, they show the same.

var (
	errTwin   = errors.New("twin's limit")
	errCaller = errors.New("caller's cause")
)

// step is one byte of a script: what to do, and with which of the derived contexts.
type step byte

func (s step) what() int  { return int(s & 15) }
func (s step) which() int { return int(s >> 4) }

// pair is a context of ours, or one derived from it, with its twin.
type pair struct {
	ours, twin         context.Context
	cancel, cancelTwin context.CancelFunc
	asked              bool // Done was asked for
	afters             [2]*atomic.Int32
}

// play runs a script, and returns the first difference.
func play(t *testing.T, script []step) (err error) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancelParent := context.WithCancelCause(t.Context())
		defer cancelParent(nil)
		if len(script) > 0 && script[0]&1 != 0 {
			var cancel context.CancelFunc
			parent, cancel = context.WithTimeout(parent, time.Duration(1+script[0]>>4)*time.Second+time.Millisecond)
			defer cancel()
		}
		const limit = 5 * time.Second
		policy := newTimeout(t, limit)
		if len(script)%2 != 0 { // the same limit, as long as nothing is known
			cfg := policy.Config()
			cfg.Adaptive.Percentile = 0.9
			if err := policy.Update(cfg); err != nil {
				t.Fatal(err)
			}
		}
		inner, leave := enter(t, policy, parent)
		twin, cancelTwin := context.WithTimeoutCause(parent, limit, errTwin)
		defer cancelTwin()
		pairs := []*pair{{ours: inner, twin: twin}}
		defer func() {
			for _, p := range pairs[1:] {
				p.cancel()
				p.cancelTwin()
			}
		}()
		left := false
		for i, s := range script {
			p := pairs[s.which()%len(pairs)]
			observe := true
			switch s.what() {
			case 0, 1, 2:
				time.Sleep(time.Second)
				synctest.Wait() // the timers of both fire at the same instant
				observe = s.what() == 0
			case 3:
				p.asked = true
				_, _ = p.ours.Done(), p.twin.Done()
			case 4, 5:
				if len(pairs) < 12 {
					c := &pair{}
					c.ours, c.cancel = context.WithCancel(context.WithValue(p.ours, key{}, i))
					c.twin, c.cancelTwin = context.WithCancel(context.WithValue(p.twin, key{}, i))
					p.asked = true // package context asks
					pairs = append(pairs, c)
				}
			case 6:
				if len(pairs) < 12 {
					c := &pair{}
					c.ours, c.cancel = context.WithTimeout(p.ours, 1500*time.Millisecond)
					c.twin, c.cancelTwin = context.WithTimeout(p.twin, 1500*time.Millisecond)
					p.asked = true
					pairs = append(pairs, c)
				}
			case 7:
				a, b := new(atomic.Int32), new(atomic.Int32)
				context.AfterFunc(p.ours, func() { a.Add(1) })
				context.AfterFunc(p.twin, func() { b.Add(1) })
				p.asked = true
				if p.afters[0] == nil {
					p.afters = [2]*atomic.Int32{a, b}
				}
			case 8:
				if p.cancel != nil {
					p.cancel()
					p.cancelTwin()
				}
			case 9:
				// What nobody has seen may be told otherwise, see TestUnseenCancellationComesBeforeAnUnseenLimit.
				_ = inner.Err()
				cancelParent(errCaller)
			case 10:
				if !left {
					left = true
					_ = inner.Err() // as above
					_ = leave(nil)
					cancelTwin()
				}
			default:
				observe = false
			}
			if !observe {
				continue
			}
			synctest.Wait()
			for n, p := range pairs {
				if got, want := p.show(), p.showTwin(); got != want {
					err = fmt.Errorf("step %d: context %d shows %s, its twin %s", i, n, got, want)
					return
				}
			}
		}
		if !left {
			_ = leave(nil)
		}
	})
	return err
}

func (p *pair) show() string     { return show(p.ours, p.asked, p.afters[0]) }
func (p *pair) showTwin() string { return show(p.twin, p.asked, p.afters[1]) }

func show(ctx context.Context, asked bool, after *atomic.Int32) string {
	cause := context.Cause(ctx)
	if isOurs(cause, "test") {
		cause = errTwin
	}
	deadline, limited := ctx.Deadline()
	text := fmt.Sprint(ctx.Err(), "/", cause, "/", ctx.Value(key{}), "/", deadline.UnixNano(), limited)
	if asked {
		text += fmt.Sprint("/", isClosed(ctx.Done()))
	}
	if after != nil {
		text += fmt.Sprint("/", after.Load())
	}
	return text
}

func TestContextOfACallIsLikeItsTwin(t *testing.T) {
	seeds := uint64(3000)
	if testing.Short() || raceEnabled {
		seeds = 500
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		script := make([]step, 1+random.IntN(25))
		for i := range script {
			script[i] = step(random.Uint32())
		}
		if err := play(t, script); err != nil {
			for i := 0; i < len(script); {
				if shorter := slices.Delete(slices.Clone(script), i, i+1); play(t, shorter) != nil {
					script = shorter
				} else {
					i++
				}
			}
			t.Fatalf("seed %d: %v\nshortest: %v: %v", seed, err, script, play(t, script))
		}
	}
}

func FuzzContextOfACallIsLikeItsTwin(f *testing.F) {
	f.Add([]byte{0, 2, 2, 2, 2, 2, 2, 11})
	f.Add([]byte{3, 4, 0x16, 0, 0, 0, 0, 0, 9})
	f.Add([]byte{0x21, 7, 0, 0, 0, 0x18, 10, 4})
	f.Add([]byte{10, 4, 3})
	f.Add([]byte{2, 2, 9, 0, 0, 0, 10})
	f.Fuzz(func(t *testing.T, data []byte) {
		script := make([]step, min(len(data), 60))
		for i := range script {
			script[i] = step(data[i])
		}
		if err := play(t, script); err != nil {
			t.Error(err)
		}
	})
}

// The cause of a twin is that of the settings, so that it can be told from an error of a call.
func TestCauseIsOneForAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		a, leaveA := enter(t, limit, t.Context())
		b, leaveB := enter(t, limit, t.Context())
		_ = b.Done()
		time.Sleep(time.Second)
		synctest.Wait()
		cause := context.Cause(a)
		if cause != context.Cause(b) || !errors.Is(cause, timeout.ErrExceeded) { //nolint:errorlint // the very value
			t.Errorf("causes are %v and %v", cause, context.Cause(b))
		}
		if err := leaveA(cause); err != cause { //nolint:errorlint // the very value
			t.Errorf("a bare cause was wrapped into %v", err)
		}
		if err := leaveB(fmt.Errorf("reading: %w", cause)); !isOurs(err, "test") || !errors.Is(err, cause) ||
			err.Error() != `timeout "test": limit of 1s exceeded: reading: timeout "test": limit of 1s exceeded` {
			t.Errorf("error is %v", err)
		}
	})
}
