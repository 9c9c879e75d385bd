package cache_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/cache"
)

func TestFailedLoadsAreLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := new(seawall.Registry)
		r.SetLogger(slog.New(slog.NewTextHandler(&out, nil)))
		c := newCache(t, config{Registry: r})
		for range 5 {
			wantErr(t, c, "a", failing(errDown), errDown)
			synctest.Wait()
		}
		wantErr(t, c, "a", failing(cache.ErrNotFound), cache.ErrNotFound) // that is an answer
		time.Sleep(time.Second)
		wantErr(t, c, "a", failing(errDown), errDown)
		synctest.Wait()
		got := out.String()
		if strings.Count(got, "level=WARN msg=seawall.cache.load_failed name=test error_type=other") != 2 ||
			!strings.Contains(got, "suppressed=4") || strings.Contains(got, errDown.Error()) {
			t.Errorf("logged:\n%s", got)
		}
	})
}

func TestLogThatPanicsCostsNoAnswer(t *testing.T) {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(panicking{slog.DiscardHandler}))
	c := newCache(t, config{Registry: r})
	wantErr(t, c, "a", failing(errDown), errDown)
	want(t, c, "a", always(1), 1, cache.Loaded)
}

// panicking is a handler of logs that panics.
type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool { panic("log") }

// Expire by tag ends the pause after a failure as well as by key.
func TestTagThatIsExpiredEndsThePauseAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
		v := 1
		want(t, c, "a", tagged(&v), 1, cache.Loaded)
		time.Sleep(time.Minute)
		want(t, c, "a", failing(errDown), 1, cache.Stale)
		c.ExpireTags(t.Context(), "tag of a")
		v = 2
		want(t, c, "a", tagged(&v), 2, cache.Loaded)
	})
}

// An error's type is out of a closed list, whatever a source returns or does.
func TestLoggedTypeOfAFailureIsOutOfTheClosedList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, load := range map[string]func(context.Context, string) (int, error){
			"panic": func(context.Context, string) (int, error) { panic("ouch") },
			"timeout": func(ctx context.Context, _ string) (int, error) {
				<-ctx.Done()
				return 0, context.Cause(ctx) // our limit's, as net/http returns it
			},
			"overload": failing(slowDown{}),
		} {
			var out bytes.Buffer
			r := new(seawall.Registry)
			r.SetLogger(slog.New(slog.NewTextHandler(&out, nil)))
			c := newCache(t, config{Registry: r, LoadTimeout: time.Second})
			func() {
				defer func() { _ = recover() }()
				_, _ = c.Get(t.Context(), "a", load)
			}()
			synctest.Wait()
			if got := out.String(); !strings.Contains(got, "error_type="+want+" ") {
				t.Errorf("want %s, logged:\n%s", want, got)
			}
		}
	})
}

// slowDown is the error of a source that asks for less.
type slowDown struct{}

func (slowDown) Error() string            { return "user ada asks too much" }
func (slowDown) Verdict() seawall.Verdict { return seawall.Verdict{Outcome: seawall.Overload} }

// The record of a call says what the cache had, also where the answer is like any other.
func TestRecordSaysWhatTheCacheHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour, NegativeTTL: time.Minute, Jitter: cache.NoJitter})
		asks := func(key string, load func(context.Context, string) (int, error), want seawall.CacheResult) {
			t.Helper()
			ctx, record := seawall.WithRecord(t.Context())
			_, _ = c.Get(ctx, key, load)
			if got := record.Facts().Cache; got != want {
				t.Errorf("Get of %s: %v, want %v", key, got, want)
			}
			synctest.Wait()
		}
		asks("a", always(1), seawall.CacheMiss)
		asks("a", always(1), seawall.CacheFresh)
		asks("none", failing(cache.ErrNotFound), seawall.CacheMiss)
		asks("none", failing(cache.ErrNotFound), seawall.CacheMiss)
		asks("b", failing(errDown), seawall.CacheError)
		time.Sleep(2 * time.Minute)
		asks("a", failing(errDown), seawall.CacheStale)

		ctx, record := seawall.WithRecord(t.Context())
		_, _ = c.Lookup(ctx, "c", always(1))
		_, _ = c.Get(ctx, "a", failing(errDown))
		_, _ = c.Lookup(ctx, "c", always(1))
		if got := record.Facts().Cache; got != seawall.CacheStale {
			t.Errorf("of several: %v, want the worst, which is stale", got)
		}
	})
}
