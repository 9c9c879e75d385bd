package degrade_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

// give makes a load or its like.
func give[T any](v T, err error) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, err }
}

// instead makes a fallback.
func instead[T any](v T, err error) func(context.Context, error) (T, error) {
	return func(context.Context, error) (T, error) { return v, err }
}

// until waits for its context.
func until[T any](ctx context.Context) (v T, err error) {
	<-ctx.Done()
	return v, context.Cause(ctx)
}

func TestGatherSaysWhatTheAnswerIsMadeOf(t *testing.T) {
	g := newGather(degrade.GatherConfig{})
	rejection := seawall.Reject("breaker", "recs", seawall.ReasonOpen, nil, 0)
	copied := newFallback(degrade.FallbackConfig{Func: degrade.Value("policy's")})
	aged := newFallback(degrade.FallbackConfig{Func: degrade.StaleFunc(
		func(context.Context, error) (string, time.Duration, error) { return "old", time.Minute, nil },
	)})
	var seats, price, photo, ads string
	weather, recs, news := "untouched", "untouched", 0
	ctx, record := seawall.WithRecord(t.Context())
	report, err := g.Do(ctx,
		degrade.Section("seats", nil, &seats, give("A1", nil)),
		degrade.Section("price", nil, &price, give("", errDown)).Or(instead("", errors.New("no copy"))).Or(instead("9.80", nil)),
		degrade.Section("photo", copied, &photo, give("", errDown)),
		degrade.Section("ads", aged, &ads, give("", errDown)),
		degrade.Section("weather", nil, &weather, give("half", errDown)).Optional(),
		degrade.Section("recs", nil, &recs, give("", error(rejection))).Or(instead("", errors.New("no copy"))).Optional(),
		degrade.Section("news", nil, &news, give(0, errDown)).OrStale(
			func(context.Context, error) (int, time.Duration, error) { return 5, time.Hour, nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	if seats != "A1" || price != "9.80" || photo != "policy's" || ads != "old" || news != 5 ||
		weather != "untouched" || recs != "untouched" {
		t.Errorf("got %q %q %q %q %q %q %d", seats, price, photo, ads, weather, recs, news)
	}
	want := "seats whole, price degraded, photo degraded, ads stale, weather missing, recs missing, news stale"
	if report.String() != want || report.Whole() {
		t.Errorf("the report is %v, whole: %t; want %v", report, report.Whole(), want)
	}
	if got := report.Names(degrade.Missing); !slices.Equal(got, []string{"weather", "recs"}) {
		t.Errorf("missing are %v", got)
	}
	section := func(name string) degrade.SectionReport {
		s, ok := report.Section(name)
		if !ok {
			t.Errorf("%s is not in the report", name)
		}
		return s
	}
	if s := section("price"); s.Err != errDown || s.By != "" { //nolint:errorlint // bare is the point
		t.Errorf("price: %+v", s)
	}
	if s := section("photo"); s.Err != nil || s.By != `fallback "copy"` {
		t.Errorf("photo: %+v", s)
	}
	if s := section("ads"); s.Age != time.Minute {
		t.Errorf("ads: %+v", s)
	}
	if s := section("news"); s.Age != time.Hour || !errors.Is(s.Err, errDown) {
		t.Errorf("news: %+v", s)
	}
	if s := section("recs"); !errors.Is(s.Err, seawall.ErrRejected) || s.Reason != seawall.ReasonOpen {
		t.Errorf("recs: %+v", s)
	}
	if _, ok := report.Section("nothing"); ok {
		t.Error("a section that was not given is in the report")
	}
	if f := record.Facts(); !f.Replaced || f.DecidedBy != `gather "page"` || f.Stale != time.Hour {
		t.Errorf("the caller's record says %+v", f)
	}
	wantStats := degrade.GatherStats{
		Calls:    degrade.GatherCalls{Partial: 1},
		Sections: degrade.SectionCounts{Whole: 1, Degraded: 2, Stale: 2, Missing: 2},
	}
	if s := g.Stats(); s != wantStats {
		t.Errorf("stats %+v, want %+v", s, wantStats)
	}
}

func TestGatherThatIsWholeSaysSo(t *testing.T) {
	g := newGather(degrade.GatherConfig{})
	ctx, record := seawall.WithRecord(t.Context())
	for _, n := range []int{0, 1, 40} {
		results, parts := make([]int, n), []degrade.Part{}
		for i := range n {
			parts = append(parts, degrade.Section(fmt.Sprint(i), seawall.Chain(), &results[i], give(i+1, nil)))
		}
		report, err := g.Do(ctx, parts...)
		if err != nil || !report.Whole() || len(report.Sections) != n {
			t.Errorf("%d sections: %v, %v", n, report, err)
		}
		for i, got := range results {
			if got != i+1 {
				t.Errorf("result %d is %d", i, got)
			}
		}
	}
	if f := record.Facts(); f != (seawall.Facts{}) {
		t.Errorf("the record says %+v", f)
	}
	if s := g.Stats(); s.Calls != (degrade.GatherCalls{Whole: 3}) || s.Sections != (degrade.SectionCounts{Whole: 41}) {
		t.Errorf("stats %+v", s)
	}
}

func TestGatherSumsUpWhatHappenedInItsSections(t *testing.T) {
	ctx, record := seawall.WithRecord(t.Context())
	load := func(ctx context.Context) (int, error) {
		seawall.RecordOf(ctx).Note(func(f *seawall.Facts) {
			f.Retries, f.Hedges, f.Waited, f.ServerDelay = f.Retries+1, f.Hedges+2, f.Waited+3, 4
		})
		return 1, nil
	}
	var a, b int
	_, err := newGather(degrade.GatherConfig{}).Do(ctx, degrade.Section("a", nil, &a, load), degrade.Section("b", nil, &b, load))
	if f := record.Facts(); err != nil || f != (seawall.Facts{Retries: 2, Hedges: 4, Waited: 6, ServerDelay: 4}) {
		t.Errorf("the record says %+v, %v", f, err)
	}
}

func TestGatherFailsWithARequiredSection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGather(degrade.GatherConfig{})
		kept, seats := "untouched", new(closer)
		var cause error
		report, err := g.Do(t.Context(),
			degrade.Section("price", nil, &kept, func(ctx context.Context) (string, error) {
				time.Sleep(time.Second)
				return "", errDown
			}),
			degrade.Section("hangs", nil, &kept, func(ctx context.Context) (string, error) {
				_, err := until[string](ctx)
				cause = context.Cause(ctx)
				return "", err
			}).Or(func(context.Context, error) (string, error) {
				t.Error("a fallback ran for a section that was canceled")
				return "", nil
			}),
			degrade.Section("obedient", nil, &kept, func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			}),
			degrade.Section("optional", nil, &kept, until[string]).Optional(),
			degrade.Section("whole", nil, &kept, give("new", nil)),
			degrade.Section("seats", nil, new(*closer), give(seats, nil)),
		)
		if !errors.Is(err, degrade.ErrMissing) || !errors.Is(err, errDown) {
			t.Errorf("got %v", err)
		}
		failure, ok := errors.AsType[*degrade.SectionError](err)
		if !ok || failure.Section != "price" || failure.Gather != "page" {
			t.Errorf("got %+v", failure)
		}
		if want := `gather "page": section "price": down`; err.Error() != want {
			t.Errorf("the text is %q, want %q", err, want)
		}
		if !errors.Is(cause, failure.Err) || !errors.Is(cause, degrade.ErrMissing) {
			t.Errorf("the others were canceled by %v", cause)
		}
		if kept != "untouched" || seats.closed != 1 {
			t.Errorf("the destination is %q, and the result was closed %d times", kept, seats.closed)
		}
		want := "price missing, hangs missing, obedient missing, optional missing, whole whole, seats whole"
		if report.String() != want {
			t.Errorf("the report is %v, want %v", report, want)
		}
		wantStats := degrade.GatherStats{
			Calls:    degrade.GatherCalls{Failed: 1},
			Sections: degrade.SectionCounts{Whole: 2, Missing: 1, Canceled: 3},
		}
		if s := g.Stats(); s != wantStats {
			t.Errorf("stats %+v, want %+v", s, wantStats)
		}
	})
}

// Two required sections that fail by themselves are both in the error, also if the second one ends after the first.
func TestGatherJoinsTheErrorsOfAllThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errOther := errors.New("other")
		var v string
		_, err := newGather(degrade.GatherConfig{}).Do(t.Context(),
			degrade.Section("a", nil, &v, func(context.Context) (string, error) {
				time.Sleep(time.Second) // until b has begun
				return "", errDown
			}),
			degrade.Section("b", nil, &v, func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", errOther
			}),
		)
		if !errors.Is(err, errDown) || !errors.Is(err, errOther) {
			t.Errorf("got %v", err)
		}
	})
}

// An operation's own context.Canceled is a failure like any other.
func TestGatherTakesACancellationInsideForAFailure(t *testing.T) {
	g := newGather(degrade.GatherConfig{})
	var v string
	_, err := g.Do(t.Context(), degrade.Section("a", nil, &v, give("", context.Canceled)))
	if !errors.Is(err, degrade.ErrMissing) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := g.Stats(); s.Calls.Failed != 1 || s.Sections.Missing != 1 {
		t.Errorf("stats %+v", s)
	}
}

// T13
func TestGatherRunsNothingForACallerThatHasLeft(t *testing.T) {
	g := newGather(degrade.GatherConfig{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDown)
	var v string
	report, err := g.Do(ctx, degrade.Section("a", nil, &v, func(context.Context) (string, error) {
		t.Error("it ran")
		return "", nil
	}).Optional())
	if err != errDown || report.String() != "a missing" { //nolint:errorlint // bare is the point
		t.Errorf("got %v, %v", report, err)
	}
	if s := g.Stats(); s != (degrade.GatherStats{}) {
		t.Errorf("stats %+v", s)
	}
}

// T13, T59: a caller that leaves ends the sections, gets the cause, and nothing is left running or written.
func TestGatherLeavesNothingRunningWhenItsCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGather(degrade.GatherConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		v, begun, result := "untouched", time.Now(), new(closer)
		_, err := g.Do(ctx,
			degrade.Section("result", nil, new(*closer), give(result, nil)),
			degrade.Section("hangs", nil, &v, until[string]),
			degrade.Section("deaf", nil, &v, func(context.Context) (string, error) {
				time.Sleep(3 * time.Second)
				return "late", nil
			}),
		)
		if !errors.Is(err, context.Canceled) || v != "untouched" || result.closed != 1 || time.Since(begun) != 3*time.Second {
			t.Errorf("got %v and %q after %v, a result was closed %d times", err, v, time.Since(begun), result.closed)
		}
		want := degrade.GatherStats{
			Calls: degrade.GatherCalls{Canceled: 1}, Sections: degrade.SectionCounts{Whole: 2, Canceled: 1},
		}
		if s := g.Stats(); s != want {
			t.Errorf("stats %+v, want %+v", s, want)
		}
	})
}

// What was loaded before the caller's deadline is an answer.
func TestGatherGivesWhatThereIsAtTheDeadlineIfNothingRequiredIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGather(degrade.GatherConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var seats, recs string
		report, err := g.Do(ctx,
			degrade.Section("seats", nil, &seats, give("A1", nil)),
			degrade.Section("recs", nil, &recs, until[string]).Optional(),
		)
		if err != nil || seats != "A1" || report.String() != "seats whole, recs missing" {
			t.Errorf("got %q, %v, %v", seats, report, err)
		}
		if s := g.Stats(); s.Sections.Missing != 1 || s.Calls.Partial != 1 {
			t.Errorf("stats %+v", s) // the deadline speaks against the section
		}
	})
}

func TestGatherRunsAsManyAtATimeAsItMay(t *testing.T) {
	for _, c := range []struct{ parallel, sections, want int }{
		{0, 40, 16}, {1, 5, 1}, {3, 10, 3}, {16, 2, 2}, {degrade.AllAtOnce, 40, 40},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGather(degrade.GatherConfig{Parallel: c.parallel})
			var running, most atomic.Int64
			var order []int
			var parts []degrade.Part
			v := make([]int, c.sections)
			for i := range c.sections {
				parts = append(parts, degrade.Section("s", nil, &v[i], func(context.Context) (int, error) {
					most.Store(max(most.Load(), running.Add(1)))
					if c.parallel == 1 {
						order = append(order, i)
					}
					time.Sleep(time.Second)
					running.Add(-1)
					return 1, nil
				}))
			}
			begun := time.Now()
			if _, err := g.Do(t.Context(), parts...); err != nil {
				t.Fatal(err)
			}
			rounds := (c.sections + c.want - 1) / c.want
			if time.Since(begun) != time.Duration(rounds)*time.Second || !slices.IsSorted(order) {
				t.Errorf("parallel %d: %d sections took %v, in the order %v", c.parallel, c.sections, time.Since(begun), order)
			}
		})
	}
}

func TestGatherDoesNotBeginWhatIsInVain(t *testing.T) {
	g := newGather(degrade.GatherConfig{Parallel: 1})
	var v string
	report, err := g.Do(t.Context(),
		degrade.Section("a", nil, &v, give("", errDown)),
		degrade.Section("b", nil, &v, func(context.Context) (string, error) {
			t.Error("it ran")
			return "", nil
		}),
	)
	b, _ := report.Section("b")
	if !errors.Is(b.Err, degrade.ErrMissing) || err.Error() != `gather "page": section "a": down` {
		t.Errorf("got %v, and b is missing because of %v", err, b.Err)
	}
	if s := g.Stats(); s.Sections != (degrade.SectionCounts{Missing: 1, Canceled: 1}) {
		t.Errorf("stats %+v", s)
	}
}

// T13: the section's policies learn that they were canceled, and hold it against nobody.
func TestGatherCancelsNeutrally(t *testing.T) {
	gate := new(listeningGate)
	var v string
	_, _ = newGather(degrade.GatherConfig{}).Do(t.Context(),
		degrade.Section("a", nil, &v, func(context.Context) (string, error) {
			gate.wait()
			return "", errDown
		}),
		degrade.Section("b", gate, &v, until[string]),
	)
	if gate.told != seawall.ErrCanceled { //nolint:errorlint // bare is the point
		t.Errorf("the gate was told %v", gate.told)
	}
}

// A section can be used again and derived from: it is immutable.
// T19
func TestSectionIsImmutable(t *testing.T) {
	g := newGather(degrade.GatherConfig{})
	var v string
	none := instead("", errDown)
	base := degrade.Section("a", nil, &v, give("", errDown)).Or(none).Or(none).Or(none) // with room for a fourth
	first, second := base.OrValue("first"), base.OrValue("second")
	for _, c := range []struct {
		part degrade.Part
		want string
	}{{first, "first"}, {second, "second"}, {first, "first"}} {
		if _, err := g.Do(t.Context(), c.part); err != nil || v != c.want {
			t.Errorf("got %q, %v, want %q", v, err, c.want)
		}
	}
	_ = base.Optional()
	if _, err := g.Do(t.Context(), base); !errors.Is(err, degrade.ErrMissing) {
		t.Errorf("got %v", err)
	}
}

// T20
func TestGatherClosesWhatNobodyGets(t *testing.T) {
	failedResult, failedFallback, own, shared := new(closer), new(closer), new(closer), new(closer)
	var v *closer
	var c closerByInterface
	registry, log := logged()
	g := newGather(degrade.GatherConfig{Parallel: 1, Registry: registry})
	_, err := g.Do(t.Context(),
		degrade.Section("a", nil, &v, give(failedResult, errDown)).Or(instead(failedFallback, errDown)).Optional(),
		degrade.Section("b", nil, &v, give(own, nil)),
		degrade.Section("c", nil, &v, give[*closer](nil, errDown)).OrValue(shared),
		degrade.Section("nil", nil, &c, give(closerByInterface((*closer)(nil)), nil)),
		degrade.Section("zero", nil, &c, give[closerByInterface](nil, errDown)).Optional(),
		degrade.Section("zero value", nil, new(panickingCloser), give(panickingCloser{}, errDown)).Optional(),
		degrade.Section("panics", nil, &c, give(closerByInterface(panickingCloser{1}), nil)),
		degrade.Section("d", nil, &v, give[*closer](nil, errDown)),
	)
	if err == nil || v != nil {
		t.Fatal(v, err)
	}
	if strings.Count(log.String(), "seawall.listener.panicked") != 1 {
		t.Errorf("want one panic, of the one that panics, in\n%s", log.String())
	}
	for name, x := range map[string]struct {
		c    *closer
		want int
	}{"result": {failedResult, 1}, "fallback": {failedFallback, 1}, "whole": {own, 1}, "shared": {shared, 0}} {
		if x.c.closed != x.want {
			t.Errorf("%s was closed %d times, want %d", name, x.c.closed, x.want)
		}
	}
}

func TestSectionRefusesWhatCannotBe(t *testing.T) {
	var v int
	for want, f := range map[string]func(){
		`degrade: Section "a": destination is nil`: func() { degrade.Section("a", nil, nil, give(1, nil)) },
		`degrade: Section "a": load is nil`:        func() { degrade.Section("a", nil, &v, nil) },
		`degrade: Section "a": Or is given nil`:    func() { degrade.Section("a", nil, &v, give(1, nil)).Or(nil) },
		`degrade: Section "a": OrStale is given nil`: func() {
			degrade.Section("a", nil, &v, give(1, nil)).OrStale(nil)
		},
	} {
		func() {
			defer func() {
				if value := recover(); value != want {
					t.Errorf("panicked with %v, want %q", value, want)
				}
			}()
			f()
		}()
	}
}
