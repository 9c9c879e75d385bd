package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seawall-go/seawall/internal/events"
)

// end is the six steps.
func (r *running) end(ctx, runCtx context.Context, cut context.CancelCauseFunc) {
	began := time.Now()
	r.log(ctx, slog.LevelInfo, "seawall.drain.started", slog.String("cause", r.report.Cause))
	stopCtx, cancel := context.WithTimeoutCause(runCtx, r.cfg.StopTimeout, errStopTimeout)
	defer cancel()
	if r.cfg.Health != nil {
		r.hook("health", "drain", r.cfg.Health.Drain)
	}
	for _, p := range r.parts {
		if p.Drain != nil {
			r.hook(p.Name, "drain", p.Drain)
		}
	}
	step := func(took *time.Duration, do func()) {
		before := time.Now()
		do()
		*took = time.Since(before)
	}
	step(&r.report.Drain, r.delay)
	step(&r.report.Servers, func() { r.stop(stopCtx, Serving) })
	step(&r.report.Workers, func() { r.stop(stopCtx, Working) })
	step(&r.report.Flush, func() { r.flush(runCtx) })
	cut(errStopTimeout)
	r.log(ctx, slog.LevelInfo, "seawall.drain.finished",
		slog.Duration("drain", r.report.Drain), slog.Duration("servers", r.report.Servers),
		slog.Duration("workers", r.report.Workers), slog.Duration("flush", r.report.Flush),
		slog.Duration("took", time.Since(began)), slog.Any("cut", r.report.Cut))
}

func (r *running) log(ctx context.Context, level slog.Level, event string, attrs ...slog.Attr) {
	events.Shield(r.cfg.Registry.Logger(), "lifecycle", "run", func() {
		r.cfg.Registry.Log(context.WithoutCancel(ctx), level, event, attrs...)
	})
}

// hook runs what is the user's and should return at once. Nothing that it does, or does not do, keeps the rest from its
// end.
func (r *running) hook(name, what string, f func()) {
	back := make(chan error, 1)
	go guard(func() error { f(); return nil }, func(err error) { back <- err }) // ends when f does, or with the process
	select {
	case err := <-back:
		if err != nil {
			r.errs = append(r.errs, fmt.Errorf("%s: %s: %w", name, what, err))
		}
	case <-time.After(afterKill):
		r.errs = append(r.errs, fmt.Errorf("%s: %s: it does not return", name, what))
	}
}

// delay lets the servers go on, as long as there is one.
func (r *running) delay() {
	timer := time.NewTimer(max(0, r.cfg.DrainDelay))
	defer timer.Stop()
	for r.runs(Serving) {
		select {
		case <-timer.C:
			return
		case e := <-r.ended:
			r.took(e)
		}
	}
}

// runs reports whether a part of a stage has not ended.
func (r *running) runs(s Stage) bool {
	for i := range r.left {
		if r.parts[i].Stage == s {
			return true
		}
	}
	return false
}

// stop ends the parts of a stage, all at once, and cuts off those that have not ended when ctx has. If the stage before has
// used up all the time, these still get a little.
func (r *running) stop(ctx context.Context, s Stage) {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), afterKill, errStopTimeout)
		defer cancel()
	}
	type stopped struct {
		part int
		err  error
	}
	back, dead := make(chan stopped, len(r.parts)), make(chan stopped, len(r.parts))
	stopping, killing := map[int]bool{}, map[int]bool{}
	for i, p := range r.parts {
		switch {
		case p.Stage != s:
		case p.Stop != nil:
			stopping[i], p.stopping = true, true
			// It ends when Stop does, or, if that ignores ctx, with the process.
			go guard(func() error { return p.Stop(ctx) }, func(err error) { back <- stopped{i, err} })
		default:
			p.stop(errStopping)
		}
	}
	cutOff := func(i int) {
		p := r.parts[i]
		if p.cut {
			return
		}
		p.cut = true
		r.report.Cut = append(r.report.Cut, p.Name)
		p.stop(errStopTimeout)
		if p.Kill != nil {
			killing[i] = true
			go guard(func() error { p.Kill(); return nil }, func(err error) { dead <- stopped{i, err} })
		}
	}
	done, killed := ctx.Done(), (<-chan time.Time)(nil)
	for len(stopping) > 0 || len(killing) > 0 || r.runs(s) {
		select {
		case b := <-back:
			delete(stopping, b.part)
			switch p := r.parts[b.part]; {
			case b.err == nil:
				p.stop(errStopping)
			case ctx.Err() != nil && (errors.Is(b.err, ctx.Err()) || errors.Is(b.err, context.Cause(ctx))):
				cutOff(b.part) // it has given up, which may be seen before the end of ctx is
			default:
				r.errs = append(r.errs, fmt.Errorf("%s: stop: %w", p.Name, b.err))
				p.stop(errStopping)
			}
		case d := <-dead:
			delete(killing, d.part)
			if d.err != nil {
				r.errs = append(r.errs, fmt.Errorf("%s: kill: %w", r.parts[d.part].Name, d.err))
			}
		case e := <-r.ended:
			r.took(e)
		case <-done:
			done, killed = nil, time.After(afterKill)
			for i, p := range r.parts {
				if p.Stage == s && (r.left[i] || stopping[i]) {
					cutOff(i)
				}
			}
		case <-killed:
			return
		}
	}
}

// flush does what comes last.
func (r *running) flush(runCtx context.Context) {
	ctx, cancel := context.WithTimeoutCause(runCtx, r.cfg.FlushTimeout, errFlushTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	if r.cfg.Health == nil {
		stopped <- nil
	} else { // at the same time: a check that hangs takes nothing from the flush
		go guard(func() error { return r.cfg.Health.Stop(ctx) }, func(err error) { stopped <- err })
	}
	r.stop(ctx, Flushing)
	if err := <-stopped; err != nil {
		r.report.Cut = append(r.report.Cut, err.Error())
	}
}
