package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"time"
)

// Report says how the end went.
type Report struct {
	// Cause is why it began, such as "signal terminated" or "api: address already in use".
	Cause string
	// Drain, Servers, Workers and Flush are how long the steps have taken.
	Drain, Servers, Workers, Flush time.Duration
	// Cut names the parts that were cut off because they had not ended in time, and the health if its checks had not. A
	// program for which that is a failure looks here; the error of Run does not say it.
	Cut []string
}

var (
	errStopTimeout  = errors.New("lifecycle: the time to stop is over")
	errFlushTimeout = errors.New("lifecycle: the time to flush is over")
	errStopping     = errors.New("lifecycle: stopping")
)

// afterKill is how long a part that was cut off may take to notice, a stage may last for which no time is left, and a hook
// is waited for. So by default all is over after 25 s, half a second each for servers, workers and their cutting off, and
// the flush: within the 30 s that Kubernetes gives.
const afterKill = 500 * time.Millisecond

// Run runs the parts until the end begins, and then ends them in order; see the package's text. It returns when all parts
// have ended or were cut off. The error joins those of the parts that failed, and is nil if none did: an end that was
// asked for is none. If cfg is not valid, two parts have one name, or a part has no name, no listener or nothing to do, Run
// starts nothing and returns an error that says so.
//
// The contexts of the parts have the values of ctx, but do not end with it: its end begins the same end as a signal.
func Run(ctx context.Context, cfg Config, parts ...Part) (Report, error) {
	if err := errors.Join(cfg.Validate(), validate(parts)); err != nil {
		return Report{}, err
	}
	r := &running{cfg: cfg.withDefaults(), ended: make(chan end, len(parts)), left: map[int]bool{}}
	signals := make(chan os.Signal, 2) // so that the second one finds room if both come at once
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
	more := 1 // signals until the one that ends the process
	if r.wait(ctx, signals) {
		more = 0
	}
	over := make(chan struct{})
	defer close(over)
	go dieOfASecond(signals, more, over)
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
	cancel   context.CancelCauseFunc // of its Run
	stopping bool                    // it was asked to end
	cut      bool                    // it was cut off
}

// stop ends the context of the part's Run.
func (p *part) stop(why error) {
	p.stopping = true
	p.cancel(why)
}

// end is how a part's Run has ended.
type end struct {
	part int
	err  error
}

func (r *running) start(parent context.Context, i int, p Part) {
	ctx, cancel := context.WithCancelCause(parent)
	r.parts = append(r.parts, &part{Part: p, cancel: cancel})
	if p.Run == nil {
		return
	}
	r.left[i] = true
	// It ends when Run does; what was cut off may outlive this one. There is room in ended for each.
	go guard(func() error { return p.Run(ctx) }, func(err error) { r.ended <- end{i, err} })
}

var errGoexit = errors.New("its goroutine was ended")

// guard calls f, and then ended with its error, or with one that says that it has panicked or ended its goroutine.
func guard(f func() error, ended func(error)) {
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		ended(err)
	}()
	err = f()
}

// wait returns when the end is to begin, and whether that is by a signal.
func (r *running) wait(ctx context.Context, signals <-chan os.Signal) bool {
	ran := len(r.left) > 0
	for {
		if ran && len(r.left) == 0 {
			r.report.Cause = "all parts have ended"
			return false
		}
		select {
		case s := <-signals:
			r.report.Cause = "signal " + s.String()
			return true
		case <-ctx.Done():
			r.report.Cause = context.Cause(ctx).Error()
			return false
		case e := <-r.ended:
			if r.took(e); e.err != nil {
				r.report.Cause = r.errs[0].Error()
				return false
			}
		}
	}
}

// took takes the end of a part.
func (r *running) took(e end) {
	delete(r.left, e.part)
	p := r.parts[e.part]
	if p.stopping && (errors.Is(e.err, context.Canceled) || errors.Is(e.err, errStopping) || errors.Is(e.err, errStopTimeout)) {
		return // it says why it has ended
	}
	if e.err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", p.Name, e.err))
	}
}
