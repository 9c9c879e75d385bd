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
		if strings.Count(got, "level=WARN msg=seawall.cache.load_failed name=test error_type=*errors.errorString") != 2 ||
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
