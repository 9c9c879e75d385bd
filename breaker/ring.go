package breaker

// The values of the ring of a count window.
const (
	ringEmpty uint32 = iota
	ringSuccess
	ringFailure
	ringSlow        // a slow call that did not fail
	ringSlowFailure // a slow call that failed
	ringHung        // a slow call that has not ended
)

// What each value adds to the window.
var (
	ringTally = [...]tally{
		ringSuccess: oneCall, ringFailure: oneFailure, ringSlow: oneCall, ringSlowFailure: oneFailure, ringHung: oneCall,
	}
	ringSlows = [...]int64{ringSlow: 1, ringSlowFailure: 1, ringHung: 1}
)

func ringValue(failure, slow bool) uint32 {
	switch {
	case failure && slow:
		return ringSlowFailure
	case failure:
		return ringFailure
	case slow:
		return ringSlow
	}
	return ringSuccess
}

func (w *window) recordInRing(value uint32) (in evidence, position uint64, ok bool) {
	if tally(w.word.Add(int64(ringTally[value]))) < 0 {
		return in, 0, false
	}
	position = w.next.Add(1)
	if position&foldEvery == 0 {
		w.mu.Lock()
		w.foldLocked()
		w.mu.Unlock()
	}
	old := w.ring[position%uint64(len(w.ring))].Swap(value)
	in.tally = tally(w.sum.Add(int64(ringTally[value] - ringTally[old])))
	if change := ringSlows[value] - ringSlows[old]; change != 0 {
		in.slow = w.slow.Add(change)
	} else {
		in.slow = w.slow.Load()
	}
	return in, position, true
}

func (w *window) unhangInRing(failure bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.hung) == 0 {
		return // it began to hang in a window of another shape
	}
	position := w.hung[0]
	w.hung = w.hung[1:]
	value := ringValue(failure, true)
	if w.next.Load()-position < uint64(len(w.ring)) &&
		w.ring[position%uint64(len(w.ring))].CompareAndSwap(ringHung, value) {
		w.sum.Add(int64(ringTally[value] - ringTally[ringHung]))
	}
}
