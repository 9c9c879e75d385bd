package fault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// FuzzParsePlan: reading never panics; what is read is valid, and is read back as the same from what it prints.
func FuzzParsePlan(f *testing.F) {
	for _, seed := range []string{
		`{"seed":1,"faults":[{"at":"8s","for":"8s","kind":"capacity","target":"inventory","factor":0.4}]}`,
		`{"seed":1,"faults":[{"at":"8s","for":"12s","kind":"slow","target":"inventory","factor":40}]}`,
		`{"faults":[{"for":"2s","kind":"error","target":"payments","rate":0.3}],"seed":18446744073709551615}`,
		`{"faults":[{"for":"0.000000001s","kind":"error","target":"\u00fc<","rate":-0}]}`,
		`{"faults":[{"for":"+1.5h","kind":"slow","target":"\ud800","factor":1e3}]}`,
		`{"faults":[{"for":"2s","kind":"latency","target":"a","latency":"90ms","jitter":"1ms","stream":"both"}]}`,
		`{"faults":[{"for":"2s","kind":"reset_peer","target":"a","bytes":9,"toxicity":0}]}`,
		`{"faults":[{"for":"2s","kind":"bandwidth","target":"a","rate":9,"toxicity":-0.0}]}`,
		`{}`, `{"faults":null}`, `{"seed":1,"seed":1}`, `{"faults":[[]]}`, `[`, ``, `null`, `{"":0}`,
		`{"faults":[{"for":"2s","kind":"latency","target":"a","seam":"call","latency":"9ms","distribution":"pareto","shape":2}]}`,
		`{"faults":[{"for":"2s","kind":"slicer","target":"a","average_size":9,"size_variation":8,"delay":"1us"}]}`,
		`{"faults":[{"for":"2s","kind":"status","target":"a","code":"ABORTED","body":"\u2028","route":"/a/","header":"b=c"}]}`,
		`{"faults":[{"for":"2s","kind":"reset_peer","target":"a","timeout":"1s"},{"for":"1s","kind":"truncate","target":"a"}]}`,
	} {
		f.Add([]byte(seed))
	}
	if shown, err := os.ReadFile("testdata/plan.json"); err == nil {
		f.Add(shown)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := fault.ParsePlan(bytes.NewReader(data))
		if err != nil {
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("read an impossible plan: %v", err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := fault.ParsePlan(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s is not read back: %v", text, err)
		}
		if !again.Equal(p) {
			t.Fatalf("%s is read back as another plan: %+v, was %+v", text, again, p)
		}
		if lines := strings.Count(p.String(), "\n"); lines != 1+len(p.Faults) {
			t.Fatalf("%s has a timeline of %d lines", text, lines)
		}
		for _, f := range p.Faults {
			if f.Kind == fault.Latency && (f.Lateness(0) < 0 || f.Lateness(math.MaxUint64) > 2*time.Hour) {
				t.Fatalf("%+v: from %v to %v", f, f.Lateness(0), f.Lateness(math.MaxUint64))
			}
		}
	})
}

// FuzzInjector runs operations against a model that knows the plan, when it began, and whether it was ended.
func FuzzInjector(f *testing.F) {
	f.Add(uint64(1), []byte{0, 20, 3, 4, 20, 20, 1, 20})
	f.Add(uint64(2), []byte{1, 0, 20, 3})
	f.Add(uint64(3), []byte{0, 0, 2, 20, 5, 200, 3, 2})
	f.Add(uint64(4), []byte{2, 0, 3, 5, 20, 0})
	f.Fuzz(func(t *testing.T, seed uint64, ops []byte) {
		ops = ops[:min(len(ops), 64)]
		synctest.Test(t, func(t *testing.T) { runOperations(t, randomPlan(seed), ops) })
	})
}

func runOperations(t *testing.T, p fault.Plan, ops []byte) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var told []fault.Event
	i := fault.New("test", fault.Config{
		Plan: p, Registry: quiet(), OnChange: func(e fault.Event) { told = append(told, e) },
	})
	defer i.Stop()
	var began time.Time
	over, startable := false, true
	for n, op := range ops {
		switch op % 6 {
		case 0:
			err := i.Start(ctx)
			if ok := startable && ctx.Err() == nil; ok != (err == nil) {
				t.Fatalf("operation %d: Start: %v", n, err)
			}
			if err == nil {
				began, startable = time.Now(), false
			}
		case 1:
			i.Stop()
			over, startable = true, false
		case 2:
			cancel()
			over = over || !began.IsZero()
		default:
			time.Sleep(time.Duration(op) * 10 * time.Millisecond)
		}
		synctest.Wait()
		now := naive{}
		if !began.IsZero() && !over {
			now = evaluate(p, time.Since(began))
		}
		if diff := now.differs(i); diff != "" {
			t.Fatalf("operation %d: %s", n, diff)
		}
	}
	i.Stop()
	if i.TimerLeft() {
		t.Fatal("a timer is left")
	}
	synctest.Wait()
	alternates(t, told)
}

// alternates checks that each fault was told to start and then to end, once each and in the order of time.
func alternates(t *testing.T, told []fault.Event) {
	t.Helper()
	states := map[int]fault.State{}
	var last time.Duration
	for _, e := range told {
		if e.State != states[e.Index]+1 || e.At < last {
			t.Fatalf("%+v out of order", e)
		}
		states[e.Index], last = e.State, e.At
	}
	for index, state := range states {
		if state != fault.Ended {
			t.Fatalf("fault %d was not told to end", index)
		}
	}
}
