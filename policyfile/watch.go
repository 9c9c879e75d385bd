package policyfile

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// Watch reads the file again and again, and takes over what has changed, as [Set.Reload] does, until ctx ends. It
// blocks: the goroutine is the caller's. What becomes of a change is told to [Options.OnReload] and logged, as
// seawall.config.updated or seawall.config.refused.
//
// A new content is taken over when it is found twice in a row, so one that is still being written is not: a change
// takes up to two times every. The content is compared, not the time of the file, so it does not matter how it got
// there.
//
// Where package lifecycle runs the program, it is a worker:
//
//	lifecycle.Worker("policies", func(ctx context.Context) error {
//		set.Watch(ctx, 5*time.Second)
//		return nil
//	})
//
// Watch panics if every is not above 0, or the Set was made by [Parse].
func (s *Set) Watch(ctx context.Context, every time.Duration) {
	if every <= 0 {
		panic(fmt.Sprintf("policyfile: Watch: every is %v, want more than 0", every))
	}
	if s.open == nil {
		panic("policyfile: Watch: the set was made by Parse, and has no file: see Update")
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var w watcher
	for {
		w.look(s)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// watcher is what Watch has seen.
type watcher struct {
	seen   []byte // nil before the first content
	failed string // why the file could not be read, told once
}

func (w *watcher) look(s *Set) {
	data, err := s.read()
	if err != nil {
		w.seen = nil
		if err.Error() != w.failed {
			w.failed = err.Error()
			s.tell(Reloaded{Err: err})
		}
		return
	}
	steady := w.seen != nil && bytes.Equal(data, w.seen)
	w.seen, w.failed = data, ""
	if steady && !s.hasTried(data) {
		_, _ = s.Update(data) // which tells
	}
}

func (s *Set) hasTried(data []byte) bool {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return bytes.Equal(data, s.tried)
}
