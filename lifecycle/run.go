package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"time"
)

// Report says how the end went.
type Report struct {
	// Cause is why it began, such as "signal terminated" or "api: address already in use".
	Cause string
	// Drain, Servers, Workers and Flush are how long the steps have taken.
	Drain, Servers, Workers, Flush time.Duration
	// Cut names the parts that were cut off because they had not ended in time. A program for which that is a failure
	// looks here; the error of Run does not say it.
	Cut []string
}

var (
	errStopTimeout  = errors.New("lifecycle: the time to stop is over")
	errFlushTimeout = errors.New("lifecycle: the time to flush is over")
	errStopping     = errors.New("lifecycle: stopping")
)

// afterKill is how long a part that was cut off may take to notice, and a stage may last for which no time is left.
const afterKill = time.Second

// Run runs the parts until the end begins, and then ends them in order; see the package's text. It returns when all parts
// have ended or were cut off. The error joins those of the parts that failed, and is nil if none did: an end that was
// asked for is none. Run panics if cfg is not valid.
//
// The contexts of the parts have the values of ctx, but do not end with it: its end begins the same end as a signal.
func Run(ctx context.Context, cfg Config, parts ...Part) (Report, error) {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	r := &running{cfg: cfg.withDefaults(), ended: make(chan end, len(parts)), left: map[int]bool{}}
	signals := make(chan os.Signal, 1)
	if len(r.cfg.Signals) > 0 {
		signal.Notify(signals, r.cfg.Signals...)
		defer signal.Stop(signals)
	}
	if cfg.Health != nil {
		cfg.Health.Start()
	}
	runCtx, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(errStopTimeout)
	for i, p := range parts {
		r.start(runCtx, i, p)
	}
	r.wait(ctx, signals)
	signal.Stop(signals) // the next one has its usual effect, and ends the process
	r.end(ctx, runCtx, cut)
	return r.report, errors.Join(r.errs...)
}

// running is one Run.
type running struct {
	cfg    Config
	parts  []*part
	ended  chan end
	left   map[int]bool // the parts whose Run has not returned
	errs   []error
	report Report
}

// part is a Part at work.
type part struct {
	Part
	cancel context.CancelCauseFunc // of its Run
}

// end is how a part's Run has ended.
type end struct {
	part int
	err  error
}

func (r *running) start(parent context.Context, i int, p Part) {
	ctx, cancel := context.WithCancelCause(parent)
	r.parts = append(r.parts, &part{p, cancel})
	if p.Run == nil {
		return
	}
	r.left[i] = true
	go func() { // ends when Run does; what was cut off may outlive it
		err := errGoexit
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
			r.ended <- end{i, err} // there is room for each
		}()
		err = p.Run(ctx)
	}()
}

var errGoexit = errors.New("its goroutine was ended")

// wait returns when the end is to begin.
func (r *running) wait(ctx context.Context, signals <-chan os.Signal) {
	ran := len(r.left) > 0
	for {
		if ran && len(r.left) == 0 {
			r.report.Cause = "all parts have ended"
			return
		}
		select {
		case s := <-signals:
			r.report.Cause = "signal " + s.String()
			return
		case <-ctx.Done():
			r.report.Cause = context.Cause(ctx).Error()
			return
		case e := <-r.ended:
			if r.took(e); e.err != nil {
				r.report.Cause = r.errs[0].Error()
				return
			}
		}
	}
}

// took takes the end of a part.
func (r *running) took(e end) {
	delete(r.left, e.part)
	if e.err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", r.parts[e.part].Name, e.err))
	}
}

// end is the six steps.
func (r *running) end(ctx, runCtx context.Context, cut context.CancelCauseFunc) {
	began := time.Now()
	r.log(ctx, slog.LevelInfo, "seawall.drain.started", slog.String("cause", r.report.Cause))
	if r.cfg.Health != nil {
		r.cfg.Health.Drain()
	}
	for _, p := range r.parts {
		if p.Drain != nil {
			p.Drain()
		}
	}
	stopCtx, cancel := context.WithTimeoutCause(runCtx, r.cfg.StopTimeout, errStopTimeout)
	defer cancel()
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
	r.cfg.Registry.Log(context.WithoutCancel(ctx), level, event, attrs...)
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

func (r *running) runs(s Stage) bool {
	return slices.ContainsFunc(r.parts, func(p *part) bool {
		return p.Stage == s && r.left[slices.Index(r.parts, p)]
	})
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
	back := make(chan stopped, len(r.parts))
	stopping := map[int]bool{}
	for i, p := range r.parts {
		switch {
		case p.Stage != s:
		case p.Stop != nil:
			stopping[i] = true
			go func() { // ends when Stop does, or, if that ignores ctx, with the process
				err := errGoexit
				defer func() {
					if v := recover(); v != nil {
						err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
					}
					back <- stopped{i, err}
				}()
				err = p.Stop(ctx)
			}()
		default:
			p.cancel(errStopping)
		}
	}
	done, killed := ctx.Done(), (<-chan time.Time)(nil)
	for len(stopping) > 0 || r.runs(s) {
		select {
		case b := <-back:
			delete(stopping, b.part)
			p := r.parts[b.part]
			if b.err != nil && !errors.Is(b.err, errStopTimeout) && !errors.Is(b.err, context.DeadlineExceeded) {
				r.errs = append(r.errs, fmt.Errorf("%s: stop: %w", p.Name, b.err))
			}
			p.cancel(errStopping)
		case e := <-r.ended:
			r.took(e)
		case <-done:
			done, killed = nil, time.After(afterKill)
			r.cutOff(s, stopping)
		case <-killed:
			return
		}
	}
}

// cutOff kills the parts of a stage that have not ended.
func (r *running) cutOff(s Stage, stopping map[int]bool) {
	for i, p := range r.parts {
		if p.Stage != s || !r.left[i] && !stopping[i] {
			continue
		}
		r.report.Cut = append(r.report.Cut, p.Name)
		p.cancel(errStopTimeout)
		if p.Kill != nil {
			p.Kill()
		}
	}
}

// flush does what comes last.
func (r *running) flush(runCtx context.Context) {
	ctx, cancel := context.WithTimeoutCause(runCtx, r.cfg.FlushTimeout, errFlushTimeout)
	defer cancel()
	r.stop(ctx, Flushing)
	if r.cfg.Health != nil {
		if err := r.cfg.Health.Stop(ctx); err != nil {
			r.report.Cut = append(r.report.Cut, err.Error())
		}
	}
}
