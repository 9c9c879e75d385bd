package httpx_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// hangs answers when its request has ended.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

// The longest limit that there is, which means none, overflowed: each attempt ended at once, and a healthy server carried
// requests out three times.
func TestTheLongestLimitDoesNotEndAtOnce(t *testing.T) {
	const most = time.Duration(math.MaxInt64)
	time.Sleep(time.Millisecond) // so that the clock's reading is not 0
	for name, cfg := range map[string]httpx.ClientConfig{
		"attempt":         {AttemptTimeout: most},
		"attempt, to end": {AttemptTimeout: most, AttemptSpan: httpx.SpanEnd},
		"total":           {Timeout: most},
		"idle":            {IdleTimeout: most},
		"all":             {Timeout: most, AttemptTimeout: most, IdleTimeout: most, AttemptSpan: httpx.SpanFirstByte},
		"override":        {},
	} {
		cfg.Registry = quiet()
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		asked := 0
		tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
			asked++
			if err := r.Context().Err(); err != nil {
				return nil, err
			}
			select {
			case <-r.Context().Done():
				return nil, context.Cause(r.Context())
			default:
			}
			return response(http.StatusOK, "ok"), nil
		}))
		ctx := t.Context()
		if name == "override" {
			ctx = httpx.WithTimeout(httpx.WithAttemptTimeout(ctx, most), most)
		}
		status, _, err := ask(ctx, &http.Client{Transport: tr}, "http://api.example")
		if err != nil || status != http.StatusOK || asked != 1 {
			t.Errorf("%s: asked %d times: %d, %v", name, asked, status, err)
		}
	}
	for name, cfg := range map[string]httpx.TimeLimitConfig{
		"first byte": {FirstByte: most}, "idle": {Idle: most}, "total": {FirstByte: most, Total: most},
	} {
		cfg.Registry = quiet()
		w := httptest.NewRecorder()
		httpx.TimeLimit("test", cfg)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "one")
			_, _ = io.WriteString(w, ", two")
		})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusOK || w.Body.String() != "one, two" {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
	}
}

// A configuration that was read, changed in one field and written back froze what had followed from that field.
func TestAnUpdateOfWhatConfigReturnsFreezesNoDefault(t *testing.T) {
	tr := httpx.NewTransport("test", httpx.ClientConfig{AttemptTimeout: time.Minute, Registry: quiet()},
		roundTripper(func(*http.Request) (*http.Response, error) { return response(http.StatusOK, ""), nil }))
	if _, err := getBy(t, tr); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []time.Duration{2 * time.Second, time.Minute, time.Second} {
		cfg := tr.Config()
		cfg.AttemptTimeout = attempt
		if err := tr.Update(cfg); err != nil {
			t.Fatal(err)
		}
		want := httpx.SlowOver(httpx.ClientConfig{AttemptTimeout: attempt})
		for host, b := range tr.Breakers() {
			if got := b.Config().Slow.Over; got != want {
				t.Errorf("with attempts of %v calls to %s are slow over %v, want %v", attempt, host, got, want)
			}
		}
	}
}

// An attempt limit was counted nowhere, and a limit of one call neither counted nor named.
func TestLimitsThatEndACallAreCountedAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := httpx.ClientConfig{
			Timeout: 5 * time.Second, AttemptTimeout: time.Second, Registry: quiet(),
			Retry: retry.Config{Backoff: retry.Backoff{Kind: retry.Immediate}},
		}
		tr := httpx.NewTransport("one", cfg, roundTripper(hangs))
		client := &http.Client{Transport: tr}
		_, _, err := ask(t.Context(), client, "http://api.example")
		if s := tr.Stats(); s != (httpx.ClientStats{AttemptTimeouts: 3}) || !errors.Is(err, timeout.ErrExceeded) {
			t.Errorf("three attempts past their limit: %+v, %v", s, err)
		}
		for i, ctx := range []context.Context{
			httpx.WithTimeout(t.Context(), 100*time.Millisecond),
			httpx.WithTimeout(httpx.WithAttemptTimeout(t.Context(), 60*time.Millisecond), 100*time.Millisecond),
		} {
			_, _, err = ask(ctx, client, "http://api.example")
			if err == nil || !strings.Contains(err.Error(), `timeout "one.total": limit of 100ms exceeded`) {
				t.Errorf("the error names no limit: %v", err)
			}
			if !errors.Is(err, timeout.ErrExceeded) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the error is not our limit's: %v", err)
			}
			var timed interface{ Timeout() bool }
			if !errors.As(err, &timed) || !timed.Timeout() {
				t.Errorf("not a timeout: %v", err)
			}
			if s := tr.Stats(); s.TotalTimeouts != int64(i+1) {
				t.Errorf("after %d calls past their limit: %+v", i+1, s)
			}
		}
		before := tr.Stats()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, _, err = ask(ctx, client, "http://api.example"); !errors.Is(err, context.DeadlineExceeded) || tr.Stats() != before {
			t.Errorf("the caller's deadline counts as ours: %+v, %v", tr.Stats(), err)
		}
		cfg.Timeout = 500 * time.Millisecond
		if err := tr.Update(cfg); err != nil {
			t.Fatal(err)
		}
		_, _, err = ask(t.Context(), client, "http://api.example")
		if s := tr.Stats(); s.TotalTimeouts != before.TotalTimeouts+1 || !errors.Is(err, timeout.ErrExceeded) {
			t.Errorf("past the client's limit: %+v, %v", s, err)
		}
	})
}

// A total limit that leaves no time for a second attempt was silent.
func TestLintFindsATotalLimitThatLeavesNoTimeForAnotherAttempt(t *testing.T) {
	rules := func(cfg httpx.ClientConfig) (rules []string) {
		cfg.Registry = quiet()
		for _, f := range httpx.NewTransport("test", cfg, nil).Lint() {
			rules = append(rules, f.Rule)
		}
		return rules
	}
	for name, row := range map[string]struct {
		cfg  httpx.ClientConfig
		want string // "" for nothing at all
	}{
		"default":   {},
		"adaptive":  {cfg: httpx.ClientConfig{Adaptive: &bulkhead.AdaptiveConfig{}}},
		"hedged":    {cfg: httpx.ClientConfig{Hedge: &hedge.Config{}}},
		"no limits": {cfg: httpx.ClientConfig{Timeout: httpx.Off, AttemptTimeout: httpx.Off}},
		"shortened": {cfg: httpx.ClientConfig{Timeout: 500 * time.Millisecond}, want: "limit_never_reached"},
	} {
		found := rules(row.cfg)
		if row.want == "" && len(found) > 0 || row.want != "" && !slices.Contains(found, row.want) {
			t.Errorf("%s: found %v, want %q", name, found, row.want)
		}
	}
}

// What one call says out of a computed number must not end the program: grpcx takes it for the least as well.
func TestOverridesBelowTheirRangeCountAsTheLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		tr := httpx.NewTransport("test", httpx.ClientConfig{Registry: quiet()}, roundTripper(func(r *http.Request) (*http.Response, error) {
			asked++
			return hangs(r)
		}))
		for name, ctx := range map[string]context.Context{
			"attempts":        httpx.WithAttempts(t.Context(), 0),
			"timeout":         httpx.WithTimeout(t.Context(), 0),
			"attempt timeout": httpx.WithAttempts(httpx.WithAttemptTimeout(t.Context(), -time.Hour), -1),
		} {
			asked = 0
			begin := time.Now()
			_, _, err := ask(ctx, &http.Client{Transport: tr}, "http://api.example")
			if took := time.Since(begin); asked != 1 || !errors.Is(err, timeout.ErrExceeded) || name != "attempts" && took != time.Millisecond {
				t.Errorf("%s: asked %d times in %v: %v", name, asked, took, err)
			}
		}
	})
}

// Two limits of which one is ignored, and a limit that can never come, were accepted in silence.
func TestContradictionsAreRefused(t *testing.T) {
	both := httpx.ClientConfig{Adaptive: &bulkhead.AdaptiveConfig{}, Bulkhead: bulkhead.Config{Limit: 5}}
	if err := both.Validate(); err == nil || !strings.Contains(err.Error(), "ClientConfig.Bulkhead") {
		t.Errorf("Bulkhead beside Adaptive: %v", err)
	}
	never := httpx.TimeLimitConfig{FirstByte: 5 * time.Second, Total: time.Second}
	if err := never.Validate(); err == nil || !strings.Contains(err.Error(), "FirstByte is 5s, want at most Total, which is 1s") {
		t.Errorf("FirstByte beyond Total: %v", err)
	}
	for _, fine := range []interface{ Validate() error }{
		httpx.TimeLimitConfig{Total: time.Second},
		httpx.TimeLimitConfig{FirstByte: time.Second, Total: time.Second},
		httpx.ClientConfig{Adaptive: &bulkhead.AdaptiveConfig{}},
	} {
		if err := fine.Validate(); err != nil {
			t.Error(err)
		}
	}
}
