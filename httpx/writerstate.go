package httpx

// phase is how far a response is. Whoever moves it on first, the handler or the time limit, decides in one atomic step
// what the client gets: there is never a second status, nor a text of ours behind one of the handler's.
type phase uint32

const (
	nothing  phase = iota // was written, so the limit may still answer
	header                // the status is decided, by the handler
	body                  // bytes have followed
	hijacked              // the connection is the handler's
	answered              // the limit came first: its 503 is the answer
	aborted               // the limit came in the middle: the answer is cut off
)

// The state of a writer in one word: the phase, whether the limit is out of force, and how many operations are under
// way, each of which has the writer below for itself until it ends.
const (
	phaseBits uint32 = 7
	disarmed  uint32 = 8
	operation uint32 = 16
)

func phaseOf(state uint32) phase { return phase(state & phaseBits) }

// phase returns how far the response is.
func (w *writer) phase() phase { return phaseOf(w.state.Load()) }

// begun reports whether it is too late for an answer of ours.
func (w *writer) begun() bool { return w.phase() != nothing }

// enter begins an operation of the handler that brings the response to a phase at least. It returns false if the limit
// has the response; then the handler's context has ended.
func (w *writer) enter(to phase, status int) bool {
	for {
		state := w.state.Load()
		from := phaseOf(state)
		if from >= answered {
			w.settled()
			return false
		}
		next := state + operation
		if to > from {
			next += uint32(to - from)
		}
		if !w.state.CompareAndSwap(state, next) {
			continue
		}
		if from == nothing && to > nothing {
			w.commit(status)
		} else {
			w.touch()
		}
		return true
	}
}

// leave ends an operation. If the limit came meanwhile, it has left the rest to us.
func (w *writer) leave() {
	w.touch()
	if state := w.state.Add(^(operation - 1)); phaseOf(state) >= answered && state < operation {
		w.settling.Lock()
		defer w.settling.Unlock()
		w.settle(phaseOf(state))
	}
}
