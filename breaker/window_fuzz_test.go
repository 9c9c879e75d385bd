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
	hung     []int // outcomes of calls that go on
}

type timedOutcome struct {
	at                  time.Duration
	call, failure, slow bool
}

func (w *naiveWindow) record(at time.Duration, failure, slow bool) {
	w.outcomes = append(w.outcomes, timedOutcome{at, true, failure, slow})
}

func (w *naiveWindow) hang(at time.Duration) {
	w.hung = append(w.hung, len(w.outcomes))
	w.record(at, false, true)
}

// unhang ends the oldest call that hangs. In a window of time its failure is a thing of its own.
func (w *naiveWindow) unhang(at time.Duration, failure bool) {
	if w.shape.Calls == 0 {
		if failure {
			w.outcomes = append(w.outcomes, timedOutcome{at, false, true, false})
		}
		return
	}
	if len(w.hung) > 0 {
		w.outcomes[w.hung[0]].failure = failure
		w.hung = w.hung[1:]
	}
}

// in counts what a window holds: the latest so many, or what lies in the current step and the nine before it.
func (w *naiveWindow) in(now time.Duration) (in breaker.WindowCounts) {
	for i, o := range w.outcomes {
		if w.shape.Calls > 0 {
			if len(w.outcomes)-i > w.shape.Calls {
				continue
			}
		} else if step := w.shape.Time / 10; (o.at-w.start)/step <= (now-w.start)/step-10 {
			continue
		}
		in.Calls += one(o.call)
		in.Failures += one(o.failure)
		in.Slow += one(o.slow)
	}
	return in
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// FuzzWindow runs a window beside its twin. Each byte is a step: its low three bits say what happens, the others how
// much.
func FuzzWindow(f *testing.F) {
	f.Add(uint16(0), uint16(100), int64(0), []byte{0, 1, 0xfe, 0, 1, 0x2a, 0, 3, 1, 1, 0xff, 0})
	f.Add(uint16(3), uint16(0), int64(-5), []byte{0, 1, 1, 0, 0, 1, 2, 3, 1, 0})
	f.Add(uint16(0), uint16(13), int64(-1<<62), []byte{1, 1, 0x7e, 1, 3, 0x7e, 0, 0xfe, 1, 3, 0x26, 1})
	f.Add(uint16(1), uint16(0), int64(0), []byte{1, 0, 1, 3, 1, 0})
	f.Add(uint16(0), uint16(0), int64(7), []byte{1, 0x42, 1, 0, 3, 3, 1, 0x42, 1, 0, 0x42, 1, 0x5a, 1, 3, 3, 0x42, 0, 0x6e, 1})
	f.Add(uint16(0), uint16(0), int64(0), []byte{1, 0x06, 1, 0x8e, 1, 0x06, 0, 0x46, 1, 0x8e, 0, 0x86, 1})
	f.Add(uint16(4), uint16(0), int64(0), []byte{4, 0x14, 5, 0x0d, 0, 5, 7, 1, 0x1d, 6, 0x0d, 0x0d})
	f.Add(uint16(0), uint16(0), int64(0), []byte{4, 0x14, 0x42, 5, 0x0d, 0xfa, 0, 5, 7, 3, 0x0d, 6, 0x0d, 0x0d})
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
		var total, failed, hung int64
		for i, op := range ops {
			much := time.Duration(op >> 3)
			switch op & 7 {
			case 0, 1, 6: // an end; a slow one
				failure, slow := op&1 == 1, op&7 == 6
				failure = failure || slow && much%2 == 1
				naive.record(now, failure, slow)
				total++
				failed += one(failure)
				if in, ok := w.Record(now, failure, slow); !ok || in != naive.in(now) {
					t.Fatalf("step %d: the window tells %+v, ok %v; want %+v", i, in, ok, naive.in(now))
				}
			case 2: // by parts of a step up to six windows
				now += much * much * much * 2 * time.Microsecond
				for range much % 2 {
					if shape.Calls == 0 {
						w.Advance(now)
					}
				}
			case 3:
				if !w.Lifted() {
					w.Lift(breaker.RebaseAt/2 + int64(much))
				}
			case 4: // calls become slow
				for range much {
					naive.hang(now)
				}
				hung, total = hung+int64(much), total+int64(much)
				if in := w.Hang(now, int64(much)); in != naive.in(now) {
					t.Fatalf("step %d: the window tells %+v, want %+v", i, in, naive.in(now))
				}
			case 5: // one of them ends
				if hung > 0 {
					hung--
					failure := much%2 == 1
					naive.unhang(now, failure)
					failed += one(failure)
					w.Unhang(now, outcomes[much%2].outcome)
				}
			case 7: // a slow one says nothing
				naive.record(now, false, true)
				total++
				w.Enter(now)
			}
			if in := w.In(now); in != naive.in(now) {
				t.Fatalf("step %d: the window holds %+v, want %+v", i, in, naive.in(now))
			}
			if shape.Calls > 0 && w.Ring() != w.In(now) {
				t.Fatalf("step %d: the ring holds %+v, its sum is %+v", i, w.Ring(), w.In(now))
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
