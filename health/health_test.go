package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
)

var errDown = errors.New("down")

// bench is a Health at work in a bubble, and what it has told.
type bench struct {
	*health.Health
	t        *testing.T
	registry *seawall.Registry
	log      *bytes.Buffer
	mu       sync.Mutex
	changes  []string
}

func start(t *testing.T, cfg health.Config, checks ...health.Check) *bench {
	t.Helper()
	b := &bench{t: t, registry: new(seawall.Registry), log: new(bytes.Buffer)}
	b.registry.SetLogger(slog.New(slog.NewTextHandler(lockedWriter{b}, nil)))
	cfg.Registry, cfg.Jitter, cfg.OnChange = b.registry, health.NoJitter, b.changed
	b.Health = health.New("test", cfg)
	if err := b.Add(checks...); err != nil {
		t.Fatal(err)
	}
	b.Start()
	synctest.Wait() // the first runs have ended
	t.Cleanup(func() {
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

type lockedWriter struct{ b *bench }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	return w.b.log.Write(p)
}

func (b *bench) logged() string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

func (b *bench) changed(c health.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case c.FromPhase != c.ToPhase:
		b.changes = append(b.changes, fmt.Sprintf("%v->%v", c.FromPhase, c.ToPhase))
	case c.Check == "":
		b.changes = append(b.changes, fmt.Sprintf("%v->%v", c.From, c.To))
	default:
		b.changes = append(b.changes, fmt.Sprintf("%s %v->%v", c.Check, c.From, c.To))
	}
}

func (b *bench) told() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	told := b.changes
	b.changes = nil
	return told
}

func (b *bench) after(d time.Duration) *bench {
	time.Sleep(d)
	synctest.Wait()
	return b
}

func (b *bench) answers(path string, want int) {
	b.t.Helper()
	synctest.Wait()
	if resp := get(b.Handler(), path); resp.Code != want {
		b.t.Errorf("%s answers %d %s, want %d", path, resp.Code, resp.Body, want)
	}
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return w
}

// verbose is the full answer, as a script reads it.
type verbose struct {
	Status, Phase string
	Missing       []string
	Checks        []struct {
		Name, Scope, Status, Error string
		CausedBy                   string `json:"caused_by"`
		Critical                   bool
		Fails                      int
		LastMS                     float64 `json:"last_ms"`
	}
	Gates, Watchdogs []struct{ Kind, Name, Status, Note string }
}

func (b *bench) report(path string) (v verbose) {
	b.t.Helper()
	synctest.Wait()
	if err := json.Unmarshal(get(b.AdminHandler(), path+"?verbose").Body.Bytes(), &v); err != nil {
		b.t.Fatal(err)
	}
	return v
}

// switched is a check that can be broken and mended.
type switched struct {
	down atomic.Bool
	runs atomic.Int64
}

func (s *switched) run(context.Context) error {
	s.runs.Add(1)
	if s.down.Load() {
		return errDown
	}
	return nil
}

func TestNothingIsReadyBeforeEachCriticalCheckHasPassedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db, mail switched
		db.down.Store(true)
		mail.down.Store(true)
		b := start(t, health.Config{},
			health.Check{Name: "db", Run: db.run},
			health.Check{Name: "mail", Run: mail.run, Severity: health.Optional})
		b.answers("/livez", 200)
		b.answers("/readyz", 503)
		b.answers("/startupz", 503)
		if got := b.report("/startupz").Missing; !slices.Equal(got, []string{"db"}) {
			t.Errorf("missing: %q", got)
		}
		db.down.Store(false)
		b.after(time.Second) // it is tried each second until then
		b.answers("/startupz", 200)
		b.answers("/readyz", 200)
		db.down.Store(true)
		b.after(time.Hour)
		b.answers("/startupz", 200) // for good
		if b.Phase() != health.Running {
			t.Errorf("the phase is %v", b.Phase())
		}
	})
}

func TestUnstartedProgramIsNotReadyWithoutChecks(t *testing.T) {
	h := health.New("test", health.Config{Registry: new(seawall.Registry)})
	for path, want := range map[string]int{"/readyz": 503, "/startupz": 503, "/livez": 200} {
		if got := get(h.Handler(), path).Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if err := h.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStartThatTakesTooLongIsLoggedWithWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db switched
		db.down.Store(true)
		b := start(t, health.Config{StartDeadline: 10 * time.Second}, health.Check{Name: "db", Run: db.run})
		b.after(9 * time.Second)
		if strings.Contains(b.logged(), "start_late") {
			t.Error("logged too early")
		}
		b.after(2 * time.Second)
		if !strings.Contains(b.logged(), "seawall.health.start_late name=test missing=[db]") {
			t.Errorf("the log is\n%s", b.logged())
		}
	})
}

// goroutines counts those that run code of this package.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "seawall/health.") {
			n++
		}
	}
	return n
}

// The table of scope and severity: a shared database that is down takes no instance out.
func TestSharedFailureWarnsAndLocalFailureFails(t *testing.T) {
	for _, c := range []struct {
		check health.Check
		code  int
		want  string
	}{
		{health.Check{Scope: health.Local}, 503, "fail"},
		{health.Check{Scope: health.Local, Severity: health.Optional}, 200, "warn"},
		{health.Check{}, 200, "warn"},
		{health.Check{Severity: health.Optional}, 200, "warn"},
		{health.Check{FailReadiness: true}, 503, "fail"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var s switched
			c.check.Name, c.check.Run = "it", s.run
			b := start(t, health.Config{}, c.check)
			b.answers("/readyz", 200)
			s.down.Store(true)
			b.after(2 * time.Minute)
			b.answers("/readyz", c.code)
			b.answers("/livez", 200)
			if r := b.report("/readyz"); r.Status != c.want || r.Checks[0].Status != c.want || r.Checks[0].Error != "down" {
				t.Errorf("%+v: %+v", c.check, r)
			}
			s.down.Store(false)
			b.after(10 * time.Second)
			b.answers("/readyz", 200)
			if r := b.report("/readyz"); r.Status != "pass" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestSingleFailureAndSingleSuccessChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s switched
		b := start(t, health.Config{}, health.Check{Name: "disk", Scope: health.Local, Run: s.run})
		b.told()
		s.down.Store(true)
		b.after(10 * time.Second) // two failures
		s.down.Store(false)
		b.after(5 * time.Second)
		s.down.Store(true)
		b.after(10 * time.Second)
		if got := b.told(); len(got) > 0 {
			t.Fatalf("two failures in a row were told: %q", got)
		}
		b.after(5 * time.Second)
		s.down.Store(false)
		b.after(5 * time.Second)
		if got, want := b.told(), []string{"disk pass->fail", "pass->fail"}; !slices.Equal(got, want) {
			t.Fatalf("told %q, want %q", got, want)
		}
		b.after(5 * time.Second)
		if got, want := b.told(), []string{"disk fail->pass", "fail->pass"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// A fleet that shares a check with FailReadiness must not leave in step, and not at a short fault.
func TestSharedCheckThatMayFailReadinessFallsLateAndHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s switched
		b := start(t, health.Config{MaxHold: 30 * time.Second}, health.Check{Name: "db", Run: s.run, FailReadiness: true})
		if !strings.Contains(b.logged(), "seawall.health.fail_readiness") {
			t.Error("the risk is not logged")
		}
		s.down.Store(true)
		b.after(44 * time.Second) // nine failures take 45 s
		b.answers("/readyz", 200)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("before the ninth failure: %+v", r)
		}
		b.after(2*time.Second + 30*time.Second)
		b.answers("/readyz", 503)
	})
	seen := map[time.Duration]bool{}
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			var s switched
			b := start(t, health.Config{}, health.Check{Name: "db", Run: s.run, FailReadiness: true, Fall: 1})
			s.down.Store(true)
			b.after(6 * time.Second)
			left := time.Now()
			for b.Status() != health.Fail {
				b.after(time.Second)
			}
			seen[time.Since(left)] = true
		})
	}
	if len(seen) < 5 {
		t.Errorf("20 instances left at only %d different times", len(seen))
	}
}

// A name that was misspelled in DependsOn was taken without a word.
func TestCauseThatIsNoCheckIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db, orders, late switched
		b := start(t, health.Config{},
			health.Check{Name: "orders", Run: orders.run, DependsOn: []string{"databse", "database"}},
			health.Check{Name: "database", Run: db.run})
		add := func(cause string) {
			if err := b.Add(health.Check{Name: "after " + cause, Run: late.run, DependsOn: []string{cause}}); err != nil {
				t.Error(err)
			}
		}
		add("database")
		add("ordres")
		for _, want := range []string{"check=orders depends_on=databse", "check=\"after ordres\" depends_on=ordres"} {
			if !strings.Contains(b.logged(), "level=WARN msg=seawall.health.depends_on_unknown name=test "+want) {
				t.Errorf("%s is not in the log:\n%s", want, b.logged())
			}
		}
		if n := strings.Count(b.logged(), "depends_on_unknown"); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
	})
}

func TestConsequenceIsListedUnderItsCauseAndNotReportedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db, orders switched
		b := start(t, health.Config{},
			health.Check{Name: "orders", Run: orders.run, Scope: health.Local, DependsOn: []string{"db"}},
			health.Check{Name: "db", Run: db.run, DependsOn: []string{"unknown"}})
		b.told()
		db.down.Store(true)
		b.after(15 * time.Second)
		orders.down.Store(true)
		b.after(30 * time.Second)
		b.answers("/readyz", 200)
		if r := b.report("/readyz"); r.Checks[0].CausedBy != "db" || r.Status != "warn" {
			t.Errorf("%+v", r)
		}
		if got, want := b.told(), []string{"db pass->warn", "pass->warn"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		db.down.Store(false)
		b.after(10 * time.Second)
		b.answers("/readyz", 503) // now it is its own failure
	})
}

// Their bugs 1 and 2: a check that hangs costs one goroutine, shows, and delays no probe.
func TestHungCheckShowsAndHoldsOneGoroutineAndNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		release := make(chan struct{})
		b := start(t, health.Config{}, health.Check{Name: "disk", Scope: health.Local, Run: func(context.Context) error {
			if hang.Load() {
				<-release // it does not look at its context
			}
			return nil
		}})
		b.answers("/readyz", 200)
		hang.Store(true)
		b.after(5*time.Second + 11*time.Second) // its run begins, is late after 1 s, and again after 6 and 11
		b.answers("/readyz", 503)
		if r := b.report("/readyz"); !strings.HasPrefix(r.Checks[0].Error, "still running after 11s") || r.Checks[0].Fails != 3 {
			t.Errorf("%+v", r.Checks)
		}
		before := goroutines()
		b.after(time.Hour)
		if now := goroutines(); now > before {
			t.Errorf("%d goroutines became %d in an hour", before, now)
		}
		b.answers("/livez", 200)
		hang.Store(false)
		close(release)
		b.after(5 * time.Second) // the late result does not count as a success; the next two do
		b.answers("/readyz", 503)
		b.after(5 * time.Second)
		b.answers("/readyz", 200)
	})
}

func TestStaleResultWarns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		release := make(chan struct{})
		b := start(t, health.Config{}, health.Check{Name: "db", Fall: 100, Run: func(context.Context) error {
			if hang.Load() {
				<-release
			}
			return nil
		}})
		hang.Store(true)
		b.after(14 * time.Second)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("after 14 s: %+v", r)
		}
		b.after(12 * time.Second)
		if r := b.report("/readyz"); r.Status != "warn" || !strings.HasPrefix(r.Checks[0].Error, "stale result") {
			t.Errorf("after 26 s: %+v", r)
		}
		close(release)
	})
}

// Bug 1: thousands of timeouts of a check that wakes up late leave nothing behind.
func TestTimeoutsLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		b := start(t, health.Config{Interval: 2 * time.Second}, health.Check{Name: "slow", Severity: health.Optional, Run: func(ctx context.Context) error {
			runs.Add(1)
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil
		}})
		b.after(time.Minute)
		before := goroutines()
		b.after(time.Hour)
		if runs.Load() < 900 || goroutines() > before {
			t.Errorf("%d runs, and %d goroutines became %d", runs.Load(), before, goroutines())
		}
		if r := b.report("/readyz"); r.Checks[0].Status != "warn" || r.Checks[0].Fails < 900 {
			t.Errorf("%+v", r.Checks) // each run is one failure, although it is late and then fails
		}
		if r := b.report("/readyz"); int64(r.Checks[0].Fails) > runs.Load() {
			t.Errorf("%d failures of %d runs", r.Checks[0].Fails, runs.Load())
		}
	})
}

// Bug 6: whatever a check does, it is that check's failure.
func TestCheckThatPanicsOrEndsItsGoroutineHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var other switched
		var goexits atomic.Int64
		b := start(t, health.Config{},
			health.Check{Name: "panic", Severity: health.Optional, Run: func(context.Context) error { panic("ouch") }},
			health.Check{Name: "goexit", Severity: health.Optional, Run: func(context.Context) error {
				goexits.Add(1)
				runtime.Goexit()
				return nil
			}},
			health.Check{Name: "other", Run: other.run})
		b.after(time.Minute)
		if goexits.Load() < 30 || other.runs.Load() < 10 {
			t.Errorf("%d and %d runs in a minute", goexits.Load(), other.runs.Load())
		}
		r := b.report("/readyz")
		if r.Checks[0].Error != "panic: ouch" || r.Checks[1].Error != "the check has ended its goroutine" || r.Checks[2].Status != "pass" {
			t.Errorf("%+v", r.Checks)
		}
		if !strings.Contains(b.logged(), "seawall.health.panic") || !strings.Contains(b.logged(), "health_test.go") {
			t.Error("the panic's stack is not in the log")
		}
	})
}

// Bug 3: a prober that gives up changes nothing.
func TestImpatientProbersChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db switched
		b := start(t, health.Config{}, health.Check{Name: "db", Run: db.run})
		b.told()
		runs := db.runs.Load()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", http.NoBody)
			b.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}
		if got := b.told(); len(got) > 0 || db.runs.Load() != runs {
			t.Errorf("told %q, %d runs", got, db.runs.Load()-runs)
		}
	})
}

// Bug 4: a listener may ask, add and remove.
func TestListenerMayTurnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := new(seawall.Registry)
		registry.SetLogger(slog.New(slog.DiscardHandler))
		var h *health.Health
		told := 0
		h = health.New("test", health.Config{Registry: registry, OnChange: func(c health.Change) {
			told++
			h.Status()
			h.Snapshot()
			if c.Check == "db" {
				if err := h.Add(health.Check{Name: "second", Run: func(context.Context) error { return nil }}); err != nil {
					t.Error(err)
				}
				h.Remove("db")
				panic("and out")
			}
		}})
		if err := h.Add(health.Check{Name: "db", Run: func(context.Context) error { return nil }}); err != nil {
			t.Fatal(err)
		}
		h.Start()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if _, ok := h.CheckStatus("second"); !ok || told < 4 {
			t.Errorf("second is there: %t, told %d times", ok, told)
		}
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Bug 7: error text is for the admin listener alone.
func TestErrorTextShowsOnTheAdminListenerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := "postgres://bob:hunter2@db" //nolint:gosec // what must not show
		b := start(t, health.Config{}, health.Check{Name: "db", Severity: health.Optional, Run: func(context.Context) error { return errors.New(secret) }})
		b.after(time.Minute)
		for _, path := range []string{"/readyz", "/livez", "/startupz"} {
			if body := get(b.Handler(), path+"?verbose").Body.String(); strings.Contains(body, "hunter2") || strings.Contains(body, "db") {
				t.Errorf("%s says %s", path, body)
			}
		}
		if body := get(b.AdminHandler(), "/readyz?verbose").Body.String(); !strings.Contains(body, "hunter2") {
			t.Errorf("the admin sees %s", body)
		}
	})
}

func TestLongErrorIsCutAtARune(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{}, health.Check{Name: "db", Severity: health.Optional, Run: func(context.Context) error {
			return errors.New(strings.Repeat("ü", 500))
		}})
		b.after(time.Second)
		if text := b.report("/readyz").Checks[0].Error; len(text) > 200 || strings.ContainsRune(text, '\uFFFD') || !strings.HasSuffix(text, "ü...") {
			t.Errorf("%d bytes: %s", len(text), text)
		}
	})
}

func TestDrainFailsReadinessAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db switched
		b := start(t, health.Config{}, health.Check{Name: "db", Run: db.run})
		b.answers("/readyz", 200)
		b.told()
		b.Drain()
		b.Drain()
		b.answers("/readyz", 503)
		b.answers("/livez", 200)
		b.answers("/startupz", 200)
		if got := get(b.Handler(), "/readyz").Header().Get("Retry-After"); got == "" {
			t.Error("no Retry-After while draining")
		}
		if got, want := b.told(), []string{"running->draining", "pass->fail"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		b.after(time.Hour)
		b.answers("/readyz", 503)
	})
}

func TestStopNamesTheChecksThatDoNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := health.New("test", health.Config{Registry: new(seawall.Registry)})
		err := h.Add(
			health.Check{Name: "stuck", Run: func(context.Context) error { <-release; return nil }},
			health.Check{Name: "obeys", Run: func(ctx context.Context) error { <-ctx.Done(); return nil }})
		if err != nil {
			t.Fatal(err)
		}
		h.Start()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Stop(ctx); err == nil || !strings.Contains(err.Error(), `["stuck"]`) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop returned %v", err)
		}
		if err := h.Add(health.Check{Name: "late", Run: func(context.Context) error { return nil }}); !errors.Is(err, health.ErrStopped) {
			t.Errorf("Add after Stop returned %v", err)
		}
		close(release)
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBadChecksAreRefusedWholly(t *testing.T) {
	h := health.New("test", health.Config{Registry: new(seawall.Registry)})
	run := func(context.Context) error { return nil }
	for want, checks := range map[string][]health.Check{
		"1 to 64 bytes":        {{Run: run}},
		"Run is nil":           {{Name: "a"}},
		"Scope is":             {{Name: "a", Run: run, Scope: 7}},
		"Severity is":          {{Name: "a", Run: run, Severity: 7}},
		"FailReadiness is for": {{Name: "a", Run: run, Scope: health.Local, FailReadiness: true}},
		"depends on itself":    {{Name: "a", Run: run, DependsOn: []string{"a"}}},
		"Interval is -1s":      {{Name: "a", Run: run, Interval: -time.Second}},
		"Fall is -1":           {{Name: "a", Run: run, Fall: -1}},
		"the name is taken":    {{Name: "a", Run: run}, {Name: "a", Run: run}},
		"depends on itself, by way of": {
			{Name: "a", Run: run, DependsOn: []string{"b"}},
			{Name: "b", Run: run, DependsOn: []string{"x", "c"}},
			{Name: "c", Run: run, DependsOn: []string{"a"}},
		},
	} {
		if err := h.Add(checks...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
		if _, there := h.CheckStatus("a"); there {
			t.Fatalf("%q: it was added", want)
		}
	}
	if _, err := h.Watchdog("", time.Second); err == nil {
		t.Error("a watchdog without a name")
	}
	if _, err := h.Watchdog("w", time.Millisecond); err == nil {
		t.Error("a watchdog of a millisecond")
	}
	if err := h.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfigOutOfRangeIsRefused(t *testing.T) {
	for want, cfg := range map[string]health.Config{
		"Interval is 1ns":          {Interval: 1},
		"Jitter is 0.7":            {Jitter: 0.7},
		"Timeout is -1ns":          {Timeout: -1},
		"Fall is 5000":             {Fall: 5000},
		"Rise is -1":               {Rise: -1},
		"StaleAfter is -1":         {StaleAfter: -1},
		"StaleAfter is 1,":         {StaleAfter: 1},
		"StartDeadline is 1ns":     {StartDeadline: 1},
		"SaturatedAfter is 1ns":    {SaturatedAfter: 1},
		`FailWhenFull is ["a" ""]`: {FailWhenFull: []string{"a", ""}},
		"MaxHold is 2h":            {MaxHold: 2 * time.Hour},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if err := (health.Config{Jitter: health.NoJitter, MaxHold: health.NoHold}).Validate(); err != nil {
		t.Error(err)
	}
}
