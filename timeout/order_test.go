package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// An operation that hands the deadline to a connection is told of it by the connection, perhaps before the timer of the
// context has fired: the limit is what it is in each of these cases.
func TestOpThatIsFasterThanTheTimerHasExceededTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for caller, want := range map[time.Duration]func(error) bool{
			time.Hour: func(err error) bool {
				return errors.Is(err, timeout.ErrExceeded) && errors.Is(err, os.ErrDeadlineExceeded)
			},
			time.Second / 2: func(err error) bool {
				return err == os.ErrDeadlineExceeded //nolint:errorlint // untouched
			},
		} {
			limit := newTimeout(t, time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 1e6*time.Hour)
			for range 2000 {
				ctx, stop := context.WithTimeout(ctx, caller)
				err := limit.Do(ctx, func(ctx context.Context) error {
					_ = ctx.Done() // makes the timer
					deadline, _ := ctx.Deadline()
					time.Sleep(time.Until(deadline))
					return os.ErrDeadlineExceeded
				})
				stop()
				if !want(err) {
					t.Fatalf("caller's limit %v: error is %v", caller, err)
				}
			}
			cancel()
			if s := limit.Stats(); s.Expired+s.CallerExpired != 2000 {
				t.Errorf("stats are %+v", s)
			}
		}
	})
}

// A cancellation that nobody has seen counts as earlier than a limit that nobody has seen.
func TestUnseenCancellationComesBeforeAnUnseenLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			name string
			look func(context.Context)
			ours bool
		}{
			{"nobody looks", func(context.Context) {}, false},
			{"Err is asked at the limit", func(ctx context.Context) { _ = ctx.Err() }, true},
			{"Done is asked at the limit", func(ctx context.Context) { _ = ctx.Done() }, true},
			{"a child is made at the limit", func(ctx context.Context) { context.AfterFunc(ctx, func() {}) }, true},
		} {
			limit := newTimeout(t, time.Second)
			ctx, cancel := context.WithCancel(t.Context())
			err := limit.Do(ctx, func(ctx context.Context) error {
				time.Sleep(2 * time.Second)
				row.look(ctx)
				cancel()
				want := context.Canceled
				if row.ours {
					want = context.DeadlineExceeded
				}
				if !errors.Is(ctx.Err(), want) {
					t.Errorf("%s: the context's error is %v, want %v", row.name, ctx.Err(), want)
				}
				return errDown
			})
			if errors.Is(err, timeout.ErrExceeded) != row.ours {
				t.Errorf("%s: error is %v", row.name, err)
			}
		}
		synctest.Wait()
	})
}

// Where the limit and a later deadline of the caller's have both passed, the limit was the first, although the standard
// library would now find the parent's end first.
func TestUnseenDeadlinesCountInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, look := range map[string]func(context.Context) error{
			"nobody looks":    func(context.Context) error { return nil },
			"Err is asked":    context.Context.Err,
			"Done is asked":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			"Cause is asked":  context.Cause,
			"a child is made": waitingOps["Cause of a child"],
		} {
			limit := newTimeout(t, time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			err := limit.Do(ctx, func(ctx context.Context) error {
				time.Sleep(3 * time.Second)
				err := look(ctx)
				if cause := context.Cause(ctx); err != nil && !isOurs(cause, "test") {
					t.Errorf("%s: cause is %v", name, cause)
				}
				return errors.Join(errDown, err)
			})
			cancel()
			if !isOurs(err, "test") {
				t.Errorf("%s: error is %v", name, err)
			}
		}
	})
}

// T60: of nested limits and the caller's deadline the smallest is in force, and of equal ones the outermost.
func TestLimitsOnlyShrink(t *testing.T) {
	for seed := range uint64(500) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 60))
			ctx := t.Context()
			start, smallest, owner := time.Now(), time.Duration(1<<62), ""
			if random.IntN(2) == 0 {
				smallest, owner = time.Duration(1+random.IntN(6))*time.Second, "caller"
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, smallest)
				defer cancel()
			}
			var chain []seawall.Policy
			for i := range 1 + random.IntN(4) {
				limit := time.Duration(1+random.IntN(6)) * time.Second
				name := fmt.Sprint("limit ", i)
				if limit < smallest {
					smallest, owner = limit, name
				}
				cfg := timeout.Config{Limit: limit, Registry: &seawall.Registry{}}
				if random.IntN(2) == 0 { // it knows nothing yet, so its limit is the ceiling
					cfg.Adaptive.Percentile = 0.9
				}
				chain = append(chain, timeout.New(name, cfg))
			}
			quiet := random.IntN(2) == 0
			err := seawall.Chain(chain...).Do(ctx, func(ctx context.Context) error {
				if deadline, ok := ctx.Deadline(); !ok || deadline.Sub(start) != smallest {
					t.Errorf("seed %d: deadline is in %v, want %v", seed, deadline.Sub(start), smallest)
				}
				if quiet {
					time.Sleep(smallest - 1)
					if ctx.Err() != nil {
						t.Errorf("seed %d: it ended too early", seed)
					}
					time.Sleep(time.Nanosecond)
				} else {
					<-ctx.Done()
				}
				synctest.Wait() // a timer of the caller's deadline may be due
				if took := time.Since(start); took != smallest {
					t.Errorf("seed %d: it ended after %v, want %v", seed, took, smallest)
				}
				if cause := context.Cause(ctx); owner == "caller" && !errors.Is(cause, context.DeadlineExceeded) ||
					owner != "caller" && !isOurs(cause, owner) {
					t.Errorf("seed %d: cause is %v, want that of %s", seed, cause, owner)
				}
				return ctx.Err()
			})
			if owner == "caller" && err != context.DeadlineExceeded || //nolint:errorlint // untouched
				owner != "caller" && !isOurs(err, owner) {
				t.Errorf("seed %d: error is %v, want that of %s", seed, err, owner)
			}
		})
	}
}

// The same Timeout twice in a chain has one settings for two scopes; the limit is that of the outer one.
func TestTimeoutInsideOfItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		err := seawall.Chain(limit, limit).Do(t.Context(), func(ctx context.Context) error {
			time.Sleep(time.Millisecond)
			<-ctx.Done()
			return ctx.Err()
		})
		if s := limit.Stats(); !isOurs(err, "test") || s != (timeout.Stats{Expired: 1, CallerExpired: 1}) {
			t.Errorf("error is %v, stats are %+v", err, s)
		}
	})
}

// A limit on each attempt is a failure that may be repeated; one on the whole call ends it.
func TestTotalAndAttemptLimitsWorkTogether(t *testing.T) {
	for _, c := range []struct {
		fast  int // number of the attempt that answers in time; 0 if none does
		total time.Duration
		at    time.Duration
		want  string
	}{
		{2, time.Minute, 1500 * time.Millisecond, "<nil>"},
		{0, time.Minute, 3 * time.Second, `retry "test": 3 attempts, last: timeout "attempt": limit of 1s exceeded`},
		{0, 2500 * time.Millisecond, 2500 * time.Millisecond, `timeout "total": limit of 2.5s exceeded: ` +
			`retry "test": 3 attempts, last: context deadline exceeded`},
	} {
		synctest.Test(t, func(t *testing.T) {
			quiet := (&seawall.Registry{}).Detached()
			chain := seawall.Chain(
				timeout.New("total", timeout.Config{Limit: c.total, Registry: quiet}),
				retry.New("test", retry.Config{Backoff: retry.Backoff{Kind: retry.Immediate}, Registry: quiet}),
				timeout.New("attempt", timeout.Config{Limit: time.Second, Registry: quiet}),
			)
			begin := time.Now()
			err := chain.Do(t.Context(), func(ctx context.Context) error {
				if seawall.Attempt(ctx) == c.fast {
					time.Sleep(500 * time.Millisecond)
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			})
			if fmt.Sprint(err) != c.want || time.Since(begin) != c.at {
				t.Errorf("got %v after %v, want %s after %v", err, time.Since(begin), c.want, c.at)
			}
			if err != nil && (!errors.Is(err, timeout.ErrExceeded) || errors.Is(err, context.DeadlineExceeded)) {
				t.Errorf("%v is taken for the caller's deadline", err)
			}
		})
	}
}
