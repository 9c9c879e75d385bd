package seawalltest

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// server is a running [Dependency].
type server struct {
	model  Dependency
	random *rand.Rand // guarded by mu
	start  time.Duration

	mu       sync.Mutex // guards the fields below
	queue    []*job     // those that wait, and at the front the holes of those that have left
	waiting  int
	busy     int
	received int
	finished int
	change   *time.Timer // of the next phase
	over     bool        // the scenario has ended
}

// job is one request.
type job struct {
	done  chan struct{} // closed when it has been served
	err   error
	state jobState
	timer *time.Timer // of its end, while it is served
}

type jobState uint8

const (
	queued jobState = iota
	serving
	gone // it is not in the queue, or not to be served, any more
)

func newServer(model Dependency, random *rand.Rand) *server {
	s := &server{model: model, random: random, start: mono.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchLocked()
	return s
}

func (s *server) now() time.Duration { return mono.Now() - s.start }

// watchLocked starts what a new phase lets start.
func (s *server) watchLocked() {
	if until := s.model.at(s.now()).until; until < math.MaxInt64 {
		s.change = time.AfterFunc(until-s.now(), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.over {
				s.serveLocked()
				s.watchLocked()
			}
		})
	}
}

// stop ends the work: no request is begun any more.
func (s *server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.change != nil {
		s.change.Stop()
	}
}

// call is one request: it returns when it has been served, or when ctx is done.
func (s *server) call(ctx context.Context) error {
	j := &job{done: make(chan struct{})}
	s.mu.Lock()
	s.received++
	if s.model.Queue != NoLimit && s.waiting >= s.model.Queue && s.busy >= s.model.at(s.now()).workers {
		s.mu.Unlock()
		return ErrQueueFull
	}
	s.queue = append(s.queue, j)
	s.waiting++
	s.serveLocked()
	s.mu.Unlock()

	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		s.abandon(j)
		return context.Cause(ctx)
	}
}

// abandon is told that the caller of a request has left.
func (s *server) abandon(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.model.Abandoned == KeepWorking || j.state == gone:
	case j.state == queued:
		if s.model.Abandoned == StopAtOnce {
			s.waiting--
		}
		j.state = gone
	case s.model.Abandoned == StopAtOnce && j.timer.Stop():
		j.state = gone
		s.busy--
		s.serveLocked()
	}
}

// serveLocked gives requests to idle workers.
func (s *server) serveLocked() {
	for !s.over && s.busy < s.model.at(s.now()).workers {
		j := s.nextLocked()
		if j == nil {
			return
		}
		j.state = serving
		s.busy++
		// Some nanoseconds of scatter, so that two events hardly ever fall on the same instant, where their order would be
		// the scheduler's and not the seed's.
		work := s.model.Service(s.random) + time.Duration(s.random.IntN(1000))
		fails := s.random.Float64() < s.model.at(s.now()).errors
		j.timer = time.AfterFunc(s.model.finish(s.now(), work)-s.now(), func() { s.finish(j, fails) })
	}
}

// nextLocked takes the next request out of the queue.
func (s *server) nextLocked() *job {
	for len(s.queue) > 0 {
		var j *job
		if s.model.Order == LIFO {
			last := len(s.queue) - 1
			j, s.queue[last] = s.queue[last], nil
			s.queue = s.queue[:last]
		} else {
			j, s.queue[0] = s.queue[0], nil
			s.queue = s.queue[1:]
		}
		if j.state == queued {
			s.waiting--
			return j
		}
		if s.model.Abandoned == DropAtDequeue {
			s.waiting--
		}
	}
	return nil
}

func (s *server) finish(j *job, fails bool) {
	s.mu.Lock()
	s.finished++
	s.busy--
	j.state = gone
	if fails {
		j.err = ErrService
	}
	s.serveLocked() // before the caller learns of it, so that its next draw comes after these
	s.mu.Unlock()
	close(j.done)
}

// load is what a server is doing.
type load struct{ busy, waiting, received, finished int }

func (s *server) load() load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return load{s.busy, s.waiting, s.received, s.finished}
}
