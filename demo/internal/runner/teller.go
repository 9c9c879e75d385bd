package runner

import "sync"

// teller calls hooks in a goroutine of its own, one after the other.
type teller struct {
	queue chan func()
	done  sync.WaitGroup

	mu      sync.Mutex // guards the field below, and the closing of the queue
	stopped bool
}

// tellerQueue is how many events may wait: some minutes of them.
const tellerQueue = 256

func startTeller() *teller {
	t := &teller{queue: make(chan func(), tellerQueue)}
	t.done.Go(func() {
		for f := range t.queue {
			f()
		}
	})
	return t
}

// tell queues f. If the hooks have fallen far behind, f is dropped: whoever watches must not slow down what is
// measured. After stop it does nothing.
func (t *teller) tell(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	select {
	case t.queue <- f:
	default:
	}
}

// stop waits until all has been told.
func (t *teller) stop() {
	t.mu.Lock()
	t.stopped = true
	close(t.queue)
	t.mu.Unlock()
	t.done.Wait()
}
