package bulkhead

import (
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// SetMode switches how the bulkhead acts, while calls run and with its counts kept:
//
//   - [seawall.Enforce] is the normal mode.
//   - [seawall.Shadow] lets every call in at once, and counts those that would have been rejected: those that come when
//     as many are in as have a slot or a place in the queue. It does not foretell who would have waited too long.
//   - [seawall.ForcedOpen] rejects every call, also those that wait.
//   - [seawall.ForcedClosed] lets every call in at once.
//   - [seawall.Off] lets every call pass, uncounted. Such a call holds no slot, also after a switch back.
//
// In the two modes that let every call in, more slots may be in use than the limit allows. After a switch to Enforce
// calls have to wait until the surplus has drained. Calls that wait at a switch to a mode without a limit get in.
//
// SetMode is logged as seawall.gate.mode_changed. The error says that m is none of the modes.
func (b *Bulkhead) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("bulkhead: no such mode: %v", m)
	}
	b.change(func(cfg Config) Config {
		cfg.Mode = m
		return cfg
	})
	return nil
}

// letIn gives a call its slots whatever the limit is.
func (b *Bulkhead) letIn(h holding) holding {
	n := h.slots()
	for {
		w := b.state.load()
		if w.countFull() {
			b.mu.Lock()
			b.foldLocked()
			b.mu.Unlock()
			continue
		}
		if w.inUse()+n > maxInUse {
			return nothing // the state has bits for no more than eight million
		}
		if b.state.swap(w, w+word(n)*oneInUse+oneAdmitted) {
			if h&kindOf == slotBeyond&kindOf {
				b.counts.shadowRejected.Add(1)
				b.counts.beyond.Add(int64(n))
			}
			return h
		}
	}
}

// rehearse lets a call in and judges it as enforce mode would. Those that would have been rejected do not count against
// the ones after them. The judgement is exact for calls that come one after the other; of calls that come at the same
// instant it may miss each other.
func (b *Bulkhead) rehearse(s *settings, n int) holding {
	in := int64(b.state.load().inUse()) - b.counts.beyond.Load()
	if in+int64(n) <= int64(s.Limit+s.places) {
		return b.letIn(holdingOf(slot, n))
	}
	return b.letIn(holdingOf(slotBeyond, n))
}

// resettleLocked does for those that wait what new settings mean for them.
func (b *Bulkhead) resettleLocked(s *settings) {
	if s.Mode == seawall.ForcedOpen {
		for l := range b.queue.lines {
			for w := b.queue.lines[l].first; w != nil; w = b.queue.lines[l].first {
				b.refuseLocked(w, forced, 0)
			}
		}
	}
	b.settleLocked(s, mono.Now())
}
