package grpcx

import (
	"context"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry/span"
)

// reopens reports whether another attempt may take the place of one that has failed.
func (s *clientStream) reopens(failed *streamAttempt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return failed.saidNothing() && s.request != nil && s.opening.Err() == nil
}

// again makes further attempts after one that has failed, until one is open or the policies have no more: then it returns
// the error of the call.
func (s *clientStream) again(err error) error {
	rest, ok := s.repeats.claim()
	if !ok {
		return s.finish(err)
	}
	ctx := s.policies()
	decided := false
	defer func() {
		if !decided && rest != nil { // a function of the configuration has panicked, or an interceptor
			_ = rest.End(seawall.ErrAborted)
		}
	}()
	if rest == nil {
		if rest = s.client.retry.Ended(ctx, err); rest == nil {
			decided = true
			return s.finish(err)
		}
	}
	for {
		wait, more := rest.Next(ctx, err)
		if !more {
			break
		}
		if cause := sleep(s.opening, wait); cause != nil {
			err = cause
			break
		}
		s.tries++
		rest.Started(s.tries)
		if err = s.try(s.tries); err == nil {
			decided = true
			s.repeats.giveBack(rest)
			a := s.attempt.Load()
			if failed := a.missed(); failed != nil { // before that, so that nobody else could see to the end of the call
				s.lost(a, failed)
			}
			return nil
		}
	}
	decided = true
	return s.finish(rest.End(err))
}

// policies is the context of the retry.
func (s *clientStream) policies() context.Context {
	if s.maxAttempts == 0 {
		return s.opening
	}
	return retry.WithMaxAttempts(s.opening, s.maxAttempts)
}

// sleep waits, and returns the cause of ctx if that is done.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// lost is told of an attempt that has ended outside of the stream's methods. Unless these go on, or may, it ends the call:
// its caller may never come back.
func (s *clientStream) lost(a *streamAttempt, err error) {
	if now := s.attempt.Load(); now != nil && now != a {
		return
	}
	if err != nil && s.reopens(a) {
		s.watch()
		return
	}
	rest, ok := s.repeats.claim()
	switch answered := !a.saidNothing(); {
	case ok && answered:
		s.shield(func() { _ = s.repeats.close(s.policies(), rest, nil) }) // whoever has got the answer is about to say so
	case ok:
		s.shield(func() { err = s.repeats.close(s.policies(), rest, err) })
	case !answered || s.attempt.Load() != a: // who has claimed it sees to the end
		return
	}
	s.shield(func() { s.tell(conclude(s.opening.Context, err)) })
}

// shield runs what may come to the user's functions on a goroutine that is not the caller's: nobody there can recover.
func (s *clientStream) shield(f func()) {
	events.Shield(s.target.cfg.Registry.Logger(), clientKind, s.client.name, f)
}

// watch ends a call that has no attempt when its caller leaves it there.
func (s *clientStream) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwatch == nil && s.request != nil {
		caller := s.opening.Context
		s.unwatch = context.AfterFunc(caller, func() {
			err := context.Cause(caller)
			s.shield(func() { err = s.repeats.end(s.policies(), err) })
			s.shield(func() { s.tell(conclude(caller, err)) })
		})
	}
}

// finish ends the call, which has no attempt any more, and returns its error.
func (s *clientStream) finish(err error) error {
	err = conclude(s.opening.Context, s.repeats.end(s.policies(), err))
	s.tell(err)
	return err
}

// tell describes the caller's span, and calls the caller's functions, once.
func (s *clientStream) tell(err error) {
	s.keep(nil)
	s.over.Do(func() {
		if s.recording {
			span.Describe(s.opening.Context, err)
		}
		if s.results != nil {
			for _, f := range s.results.finished {
				f(err)
			}
		}
	})
}
