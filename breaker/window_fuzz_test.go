package breaker_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall/breaker"
)

// naiveWindow is the slow twin of a window: a list of what happened when.
type naiveWindow struct {
	shape    breaker.Window
	start    time.Duration
	outcomes []timedOutcome
}

type timedOutcome struct {
	at      time.Duration
	failure bool
}

// in counts what a window holds: the latest so many, or what lies in the current step and the nine before it.
func (w *naiveWindow) in(now time.Duration) (calls, failures int64) {
	for i, o := range w.outcomes {
		if w.shape.Calls > 0 {
			if len(w.outcomes)-i > w.shape.Calls {
				continue
			}
		} else if step := w.shape.Time / 10; (o.at-w.start)/step <= (now-w.start)/step-10 {
			continue
		}
		calls++
		if o.failure {
			failures++
		}
	}
	return calls, failures
}

// FuzzWindow runs a window beside its twin. Each byte is a step: its low two bits say what happens, the others how much.
func FuzzWindow(f *testing.F) {
	f.Add(uint16(0), uint16(100), int64(0), []byte{0, 1, 0xfe, 0, 1, 0x2a, 0, 3, 1, 1, 0xff, 0})
	f.Add(uint16(3), uint16(0), int64(-5), []byte{0, 1, 1, 0, 0, 1, 2, 3, 1, 0})
	f.Add(uint16(0), uint16(13), int64(-1<<62), []byte{1, 1, 0x7e, 1, 3, 0x7e, 0, 0xfe, 1, 3, 0x26, 1})
	f.Add(uint16(1), uint16(0), int64(0), []byte{1, 0, 1, 3, 1, 0})
	f.Add(uint16(0), uint16(0), int64(7), []byte{1, 0x42, 1, 0, 3, 3, 1, 0x42, 1, 0, 0x42, 1, 0x5a, 1, 3, 3, 0x42, 0, 0x6e, 1})
	f.Add(uint16(0), uint16(0), int64(0), []byte{1, 0x06, 1, 0x8e, 1, 0x06, 0, 0x46, 1, 0x8e, 0, 0x86, 1})
	f.Fuzz(func(t *testing.T, size, width uint16, start int64, ops []byte) {
		if len(ops) > 300 {
			return
		}
		now := time.Duration(start) % (1 << 62)
		shape := breaker.Window{Calls: int(size % 50)}
		if shape.Calls == 0 {
			shape.Time = 10*time.Millisecond + time.Duration(width)
		}
		w, naive := breaker.NewWindow(shape, now), naiveWindow{shape: shape, start: now}
		var total, failed int64
		for i, op := range ops {
			much := time.Duration(op >> 2)
			switch op & 3 {
			case 0, 1:
				failure := op&1 == 1
				naive.outcomes = append(naive.outcomes, timedOutcome{now, failure})
				total++
				if failure {
					failed++
				}
				calls, failures, ok := w.Record(now, failure)
				if wantCalls, wantFailures := naive.in(now); !ok || calls != wantCalls || failures != wantFailures {
					t.Fatalf("step %d: the window tells %d/%d, ok %v; want %d/%d",
						i, failures, calls, ok, wantFailures, wantCalls)
				}
			case 2: // by parts of a step up to six windows
				now += much * much * much * time.Microsecond / 4
				for range much % 2 {
					if shape.Calls == 0 {
						w.Advance(now)
					}
				}
			case 3:
				if !w.Lifted() {
					w.Lift(breaker.RebaseAt/2 + int64(much))
				}
			}
			calls, failures := w.In(now)
			if wantCalls, wantFailures := naive.in(now); calls != wantCalls || failures != wantFailures {
				t.Fatalf("step %d: the window holds %d/%d, want %d/%d", i, failures, calls, wantFailures, wantCalls)
			}
		}
		if calls, failures := w.Counted(); calls != total || failures != failed {
			t.Fatalf("counted %d/%d, want %d/%d", failures, calls, failed, total)
		}
		if calls, failures := w.Seal(); calls != total || failures != failed {
			t.Fatalf("sealed with %d/%d, want %d/%d", failures, calls, failed, total)
		}
	})
}
