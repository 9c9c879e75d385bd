package ratelimit

// idleHeap has the key first whose idleAt is the earliest.
type idleHeap[K comparable] []*KeyLimiter[K]

func (h *idleHeap[K]) push(e *KeyLimiter[K]) {
	*h = append(*h, e)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if s[parent].idleAt <= s[i].idleAt {
			return
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
}

// pop takes the first one out.
func (h *idleHeap[K]) pop() {
	s := *h
	last := len(s) - 1
	s[0], s[last] = s[last], nil
	*h = s[:last]
	h.sink(0)
}

// sink moves a key to its place whose idleAt has become later.
func (h *idleHeap[K]) sink(i int) {
	s := *h
	for {
		child := 2*i + 1
		if child >= len(s) {
			return
		}
		if right := child + 1; right < len(s) && s[right].idleAt < s[child].idleAt {
			child = right
		}
		if s[i].idleAt <= s[child].idleAt {
			return
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
