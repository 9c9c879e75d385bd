package fault_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

// call is a fault of a kind on calls, for an hour from the start, at target "a".
func call(kind fault.Kind, change func(*fault.Fault)) fault.Fault {
	f := on(kind, 0, time.Hour, "a")
	if slices.Contains([]fault.Kind{fault.Latency, fault.Timeout, fault.ResetPeer, fault.Corrupt}, kind) {
		f.Seam = fault.OnCall // they act on connections else
	}
	if change != nil {
		change(&f)
	}
	return f
}

// T45: the same seed hits the same calls, and each by the same times, whatever acts at other points.
func TestDrawIsExactUnderASeed(t *testing.T) {
	type decision struct {
		delay time.Duration
		fails bool
	}
	run := func(seed uint64) (all []decision) {
		i := fault.New("test", fault.Config{Registry: quiet(), Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{
			call(fault.Latency, func(f *fault.Fault) {
				f.Latency, f.Distribution, f.Shape, f.Toxicity = time.Second, fault.Pareto, 1.5, 0.4
			}),
			call(fault.StatusCode, func(f *fault.Fault) { f.Status, f.Toxicity = 503, 0.3 }),
		}}})
		mustStart(t, i)
		for n := range 1000 {
			i.Point("b").Draw(t.Context(), fault.Call{})
			in := i.Point("a").Draw(fault.WithKey(t.Context(), uint64(n/2)), fault.Call{})
			if n%2 == 1 {
				in = i.Point("a").Draw(t.Context(), fault.Call{})
			}
			d := decision{}
			if in != nil {
				d = decision{in.Delay, in.Err != nil}
			}
			all = append(all, d)
		}
		return all
	}
	first := run(1)
	var late, failed int
	for _, d := range first {
		if d.delay > 0 {
			late++
		}
		if d.fails {
			failed++
		}
	}
	if late < 340 || late > 460 || failed < 240 || failed > 360 {
		t.Errorf("%d late and %d failed of 1000", late, failed)
	}
	if !slices.Equal(run(1), first) || slices.Equal(run(2), first) {
		t.Error("the seed does not decide")
	}
}

// T45: the first call is like any other, and a share is a share: 10^6 draws are within five standard deviations.
func TestDrawHitsItsShare(t *testing.T) {
	draws := 1_000_000.
	if raceEnabled {
		draws /= 20 // it is slow
	}
	for _, share := range []float64{0.001, 0.1, 0.999} {
		f := call(fault.StatusCode, func(f *fault.Fault) { f.Status, f.Toxicity = 503, share })
		p := started(t, f).Point("a")
		n := 0
		for range int(draws) {
			if p.Draw(t.Context(), fault.Call{}) != nil {
				n++
			}
		}
		if bound := 5 * math.Sqrt(draws*share*(1-share)); math.Abs(float64(n)-draws*share) > bound {
			t.Errorf("%d hits of %v at %v, which is off by more than %.0f", n, draws, share, bound)
		}
	}
}

func TestDrawAimsByMethodRouteAndHeader(t *testing.T) {
	header := http.Header{"X-Fault": {"slow", "broken"}, "X-Empty": {""}}.Values
	for _, test := range []struct {
		method, route, header string
		call                  fault.Call
		hit                   bool
	}{
		{"", "", "", fault.Call{}, true},
		{"GET", "", "", fault.Call{Method: "GET"}, true},
		{"GET", "", "", fault.Call{Method: "get"}, false},
		{"GET", "", "", fault.Call{}, false},
		{"", "/shows/*/seats", "", fault.Call{Route: "/shows/7/seats"}, true},
		{"", "/shows/*/seats", "", fault.Call{Route: "/shows/7/8/seats"}, false},
		{"", "/shows/*/seats", "", fault.Call{Route: "/shows/7/seats/1"}, false},
		{"", "/shows/", "", fault.Call{Route: "/shows/7/seats/1"}, true},
		{"", "/shows/", "", fault.Call{Route: "/shows/"}, true},
		{"", "/shows/", "", fault.Call{Route: "/shows"}, false},
		{"", "/shows/", "", fault.Call{Route: "/showsx/7"}, false},
		{"", "/*/seats/", "", fault.Call{Route: "/shows/seats/1/2"}, true},
		{"", "/*/seats/", "", fault.Call{Route: "/shows/7/seats/1"}, false},
		{"", "/", "", fault.Call{Route: "/anything/at/all"}, true},
		{"", "/", "", fault.Call{}, false},
		{"", "/shop.v1.Payments/Get*", "", fault.Call{Route: "/shop.v1.Payments/GetOrder"}, true},
		{"", "/shop.v1.Payments/Get*", "", fault.Call{Route: "/shop.v1.Payments/Charge"}, false},
		{"", "", "x-fault=broken", fault.Call{Header: header}, true},
		{"", "", "x-fault=Broken", fault.Call{Header: header}, false},
		{"", "", "x-fault", fault.Call{Header: header}, true},
		{"", "", "x-fault=", fault.Call{Header: header}, false},
		{"", "", "x-empty=", fault.Call{Header: header}, true},
		{"", "", "x-other", fault.Call{Header: header}, false},
		{"", "", "x-fault", fault.Call{}, false},
		{"PUT", "/a", "x-fault=slow", fault.Call{Method: "PUT", Route: "/a", Header: header}, true},
		{"PUT", "/a", "x-fault=slow", fault.Call{Method: "PUT", Route: "/b", Header: header}, false},
	} {
		f := call(fault.StatusCode, func(f *fault.Fault) { f.Status = 503 })
		f.Method, f.Route, f.Header = test.method, test.route, test.header
		i := fault.New("test", fault.Config{
			Plan: fault.Plan{Faults: []fault.Fault{f}}, AllowHeaders: test.header != "", Registry: quiet(),
		})
		mustStart(t, i)
		if hit := i.Point("a").Draw(t.Context(), test.call) != nil; hit != test.hit {
			t.Errorf("%q %q %q: hit is %v", test.method, test.route, test.header, hit)
		}
	}
}

// T73: a header is looked at only while a plan runs that may, and no plan does unless the program says so.
func TestHeadersAreObeyedOnlyWhileEnabled(t *testing.T) {
	f := call(fault.Error, func(f *fault.Fault) { f.Rate, f.Header, f.For = 1, "x-fault=on", time.Second })
	plan := fault.Plan{Faults: []fault.Fault{f}}
	err := fault.Config{Plan: plan}.Validate()
	const want = "fault: plan: faults[0].header is x-fault=on, want none unless Config.AllowHeaders is set"
	if err == nil || err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	synctest.Test(t, func(t *testing.T) {
		i := fault.New("test", fault.Config{Plan: plan, AllowHeaders: true, Registry: quiet()})
		p, looked := i.Point("a"), 0
		marked := fault.Call{Header: func(string) []string { looked++; return []string{"on"} }}
		if p.Draw(t.Context(), marked) != nil {
			t.Error("hit before the start")
		}
		mustStart(t, i)
		start := time.Now()
		if p.Draw(t.Context(), marked) == nil || p.Draw(t.Context(), fault.Call{}) != nil || p.Err(t.Context()) != nil {
			t.Error("the mark does not decide")
		}
		until(start, time.Second)
		if p.Draw(t.Context(), marked) != nil {
			t.Error("hit after the end")
		}
		if looked != 1 {
			t.Errorf("the headers were looked at %d times", looked)
		}
	})
}

func TestInjectionAddsUpWaitsAndStopsAtTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t,
			call(fault.Latency, func(f *fault.Fault) { f.Latency = time.Second }),
			call(fault.Latency, func(f *fault.Fault) { f.Latency = 2 * time.Second }),
			call(fault.StatusCode, func(f *fault.Fault) { f.Code, f.RetryAfter = "RESOURCE_EXHAUSTED", 3*time.Second }),
			call(fault.Error, func(f *fault.Fault) { f.Rate = 1 }))
		in, start := i.Point("a").Draw(t.Context(), fault.Call{}), time.Now()
		if err := in.Wait(t.Context()); err != nil || in.Delay != 3*time.Second || time.Since(start) != in.Delay {
			t.Errorf("waited %v of %v: %v", time.Since(start), in.Delay, err)
		}
		want := fault.InjectedError{
			Kind: fault.StatusCode, Target: "a", Status: 429, Code: "RESOURCE_EXHAUSTED", RetryAfter: 3 * time.Second,
		}
		if *in.Err != want || in.Lost || !errors.Is(in.Err, fault.ErrInjected) {
			t.Errorf("answers %+v", in.Err)
		}
		for n, want := range []uint64{1, 1, 1, 0} {
			if hits := i.Stats().Faults[n].Hits; hits != want {
				t.Errorf("fault %d: %d hits", n, hits)
			}
		}
	})
}

// T45: a wait that a fault makes ends at once with its context.
func TestCancelDuringAnInjectedDelayReturnsAtOnce(t *testing.T) {
	gone := errors.New("gone")
	for _, f := range []fault.Fault{
		call(fault.Latency, func(f *fault.Fault) { f.Latency = time.Minute }),
		call(fault.Timeout, nil),
		call(fault.Timeout, func(f *fault.Fault) { f.Timeout = time.Minute }),
	} {
		synctest.Test(t, func(t *testing.T) {
			p := started(t, f).Point("a")
			for name, wait := range map[string]func(context.Context) error{
				"Wait": func(ctx context.Context) error { return p.Draw(ctx, fault.Call{}).Wait(ctx) },
				"Do": func(ctx context.Context) error {
					return p.Do(ctx, func(context.Context) error { t.Error("it ran"); return nil })
				},
			} {
				start := time.Now()
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(gone) })
				if err := wait(ctx); !errors.Is(err, gone) || time.Since(start) != time.Second {
					t.Errorf("%s: %v after %v", name, err, time.Since(start))
				}
			}
		})
	}
}

// T74: a wait ends with its fault, by time and by Stop; a call that was swallowed fails then.
func TestInjectedDelayEndsWithItsFault(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			first := call(fault.Latency, func(f *fault.Fault) { f.Latency, f.For = time.Minute, 2*time.Second })
			second := call(fault.Timeout, func(f *fault.Fault) { f.At, f.For = 5*time.Second, 2*time.Second })
			i := started(t, first, second)
			start, ends := time.Now(), []time.Duration{2 * time.Second, 7 * time.Second}
			if err := i.Point("a").Do(t.Context(), nothing); err != nil || time.Since(start) != ends[0] {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			until(start, 5*time.Second)
			if stopped {
				ends[1] = 6 * time.Second
				time.AfterFunc(time.Second, i.Stop)
			}
			err := i.Point("a").Do(t.Context(), nothing)
			e, ok := errors.AsType[*fault.InjectedError](err)
			if !ok || !e.Timeout() || e.Temporary() || time.Since(start) != ends[1] {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	}
}

func TestCallThatIsSwallowedFailsAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := started(t, call(fault.Timeout, func(f *fault.Fault) { f.Timeout = 3 * time.Second })).Point("a")
		start := time.Now()
		if err := p.Do(t.Context(), nothing); !errors.Is(err, fault.ErrInjected) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestLostAnswersHaveDoneTheirWork(t *testing.T) {
	i := started(t, call(fault.AckLost, nil))
	done := 0
	err := i.Point("a").Do(t.Context(), func(context.Context) error { done++; return nil })
	if e, ok := errors.AsType[*fault.InjectedError](err); !ok || e.Kind != fault.AckLost || done != 1 {
		t.Errorf("%v, done %d times", err, done)
	}
	if hits := i.Stats().Faults[0].Hits; hits != 1 {
		t.Errorf("%d hits", hits)
	}
}

func TestStatusIsJudgedAsARealAnswerIs(t *testing.T) {
	for status, want := range map[int]seawall.Verdict{
		429: {Outcome: seawall.Overload, Repeat: seawall.RepeatIfIdempotent, After: time.Second},
		503: {Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent, After: time.Second},
		501: {Outcome: seawall.Failure, Repeat: seawall.RepeatNever, After: time.Second},
		404: {Outcome: seawall.Success, Repeat: seawall.RepeatNever, After: time.Second},
	} {
		f := call(fault.StatusCode, func(f *fault.Fault) { f.Status, f.RetryAfter = status, time.Second })
		for name, err := range map[string]error{
			"Do":  started(t, f).Point("a").Do(t.Context(), nothing),
			"Err": started(t, f).Point("a").Err(t.Context()),
		} {
			if got := seawall.Classify(err); got != want {
				t.Errorf("%s of %d: %+v", name, status, got)
			}
		}
	}
}

func TestStreamBreaksOffBehindItsMessages(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Truncate, fault.ResetPeer} {
		i := started(t, call(kind, func(f *fault.Fault) { f.Messages = 3 }), call(kind, func(f *fault.Fault) { f.Bytes = 1 }))
		in := i.Point("a").Draw(t.Context(), fault.Call{})
		for n := range int64(5) {
			if err := in.CutAfter(n); (err != nil) != (n >= 3) {
				t.Errorf("%s: message %d: %v", kind, n, err)
			}
		}
		if s := i.Stats().Faults; s[0].Hits != 1 || s[1].Hits != 0 {
			t.Errorf("%s: %d and %d hits", kind, s[0].Hits, s[1].Hits)
		}
	}
}

// T74: what was drawn in the time of a fault is not cut or changed after it.
func TestAnswersAreWholeAfterTheirFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, call(fault.Truncate, nil), call(fault.Corrupt, func(f *fault.Fault) { f.Rate = 1 }))
		in := i.Point("a").Draw(t.Context(), fault.Call{})
		i.Stop()
		b := []byte("untouched")
		in.Damage(b, 0)
		if err := in.CutAfter(0); err != nil || string(b) != "untouched" {
			t.Errorf("%v, %q", err, b)
		}
	})
}

// T45: what becomes of a byte depends on the seed and its place, not on how the answer is read.
func TestDamageDoesNotDependOnThePieces(t *testing.T) {
	damaged := func(seed uint64, rate float64, pieces int) []byte {
		f := call(fault.Corrupt, func(f *fault.Fault) { f.Rate = rate })
		i := fault.New("test", fault.Config{Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{f}}, Registry: quiet()})
		mustStart(t, i)
		in := i.Point("a").Draw(t.Context(), fault.Call{})
		b := make([]byte, 10_000)
		for at := 0; at < len(b); at += pieces {
			in.Damage(b[at:min(at+pieces, len(b))], int64(at))
		}
		if hits := i.Stats().Faults[0].Hits; hits != 1 {
			t.Errorf("%d hits of one call", hits)
		}
		return b
	}
	whole := damaged(1, 0.1, 10_000)
	n := 0
	for _, b := range whole {
		if b != 0 {
			n++
		}
	}
	if n < 850 || n > 1150 {
		t.Errorf("%d of 10000 bytes were changed at 0.1", n)
	}
	for _, pieces := range []int{1, 7, 4096} {
		if !slices.Equal(damaged(1, 0.1, pieces), whole) {
			t.Errorf("in pieces of %d it is another", pieces)
		}
	}
	if slices.Equal(damaged(2, 0.1, 10_000), whole) {
		t.Error("another seed changes the same")
	}
	if slices.Contains(damaged(1, 1, 100), 0) {
		t.Error("a rate of 1 leaves a byte")
	}
}

// T73: calls are left alone by a plan that waits, by one at probability 0, and by a point that is not there.
func TestInjectionThatIsNotThereDoesNothing(t *testing.T) {
	never := func(kind fault.Kind, change func(*fault.Fault)) fault.Fault {
		f := call(kind, change)
		f.Toxicity = fault.Never
		return f
	}
	idle := started(t, never(fault.StatusCode, func(f *fault.Fault) { f.Status = 503 }), never(fault.AckLost, nil),
		never(fault.Truncate, nil), never(fault.Timeout, nil), never(fault.ResetPeer, nil),
		never(fault.Latency, func(f *fault.Fault) { f.Latency = time.Hour }),
		call(fault.Latency, func(f *fault.Fault) { f.Latency = 0 }), call(fault.Corrupt, func(f *fault.Fault) { f.Rate = 0 }),
		call(fault.Error, func(f *fault.Fault) { f.Rate = 0 }))
	for name, p := range map[string]*fault.Point{
		"idle": idle.Point("a"), "waiting": newInjector(call(fault.AckLost, nil)).Point("a"), "nil": nil,
	} {
		in := p.Draw(t.Context(), fault.Call{})
		b := []byte("whole")
		in.Damage(b, 0)
		if in != nil || in.Wait(t.Context()) != nil || in.CutAfter(0) != nil || string(b) != "whole" {
			t.Errorf("%s: %+v", name, in)
		}
		if p != nil && !p.Off() {
			t.Errorf("%s costs more than one atomic load", name)
		}
	}
	for _, f := range idle.Stats().Faults {
		if f.Hits != 0 {
			t.Errorf("%s: %d hits", f.Fault.Kind, f.Hits)
		}
	}
}
