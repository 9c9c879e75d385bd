package grpcx

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry/span"
	"github.com/seawall-go/seawall/timeout"
)

// unaryCall is one call of a unary method, with its attempts.
type unaryCall struct {
	client *Client
	target *target
	settings
	limits

	req     any
	reply   any // the caller's
	cc      *grpc.ClientConn
	invoker grpc.UnaryInvoker
	opts    []grpc.CallOption
	hedged  bool // attempts may run beside each other

	fresh fresh

	// Of attempts that run one after the other:
	answer  answer
	options []grpc.CallOption  // made by the first
	few     [4]grpc.CallOption // what options begins with
}

// unary is the interceptor of unary calls.
func (c *Client) unary(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	calls, recording := span.BeginCall(ctx)
	err := c.call(ctx, calls, method, req, reply, cc, invoker, opts)
	if recording {
		span.Describe(calls, err)
	}
	return err
}

// call makes a unary call. calls is the context of the policies, derived from the caller's.
func (c *Client) call(
	ctx, calls context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
	opts []grpc.CallOption,
) (err error) {
	t := c.methods.Load().find(where(cc), method)
	x := &unaryCall{client: c, target: t, req: req, reply: reply, cc: cc, invoker: invoker}
	x.opts = x.read(opts)
	total := x.adjust()

	if x.maxAttempts > 0 {
		calls = retry.WithMaxAttempts(calls, x.maxAttempts)
	}
	within, err := total.Enter(calls)
	if err != nil {
		return x.finish(ctx, err)
	}
	err = seawall.ErrAborted // until the policies return
	x.fresh.within, x.fresh.caller = within, ctx
	defer func() {
		x.fresh.aged.Store(true)
		err = x.finish(ctx, total.Leave(calls, within, err))
	}()
	if x.hedged {
		return x.race(within)
	}
	_, err = seawall.CallOperation(&x.fresh, c.plain, x)
	return err
}

// where is the target of a connection, which a test of an interceptor may not have.
func where(cc *grpc.ClientConn) string {
	if cc == nil {
		return ""
	}
	return cc.Target()
}

// adjust settles what holds for the call, and returns its total limit.
func (x *unaryCall) adjust() *timeout.Timeout {
	t := x.target
	x.idempotent = t.mayRepeat(x.idempotent)
	x.hedged = t.hedge != nil && x.idempotent && x.maxAttempts != 1 && replaceable(x.reply)
	x.limits = t.limits
	if x.settings.attempt != 0 && x.settings.attempt != t.attemptTimeout {
		x.limits.attempt = x.client.attemptLimit(x.settings.attempt)
	}
	x.settings.attempt = cmp.Or(x.settings.attempt, t.attemptTimeout)
	if x.waits { // it is one attempt that waits, as long as the whole call may take
		x.settings.attempt = Off
	}
	total := t.total
	if x.timeout != 0 && x.timeout != t.totalTimeout {
		total = timeout.New(total.Name(), timeout.Config{Limit: x.timeout, Registry: t.cfg.Registry.Detached()})
		x.limits.total = exceeded(total.Name(), x.timeout)
	}
	return total
}

// Call makes an attempt that is alone; see [seawall.Operation].
func (x *unaryCall) Call(within context.Context) (struct{}, error) {
	a := &x.answer
	if x.options == nil {
		x.options = x.withResults(x.few[:0], a)
		a.reply = x.reply
	} else {
		reset(x.reply)
	}
	err := x.try(x.fresh.caller, within, within, a, x.options)
	if err != nil {
		x.fresh.aged.Store(true) // it has taken its time
	}
	return struct{}{}, err
}

// Discard has nothing to do: what attempts bring is in the call.
func (x *unaryCall) Discard(struct{}) {}

// withResults appends to options those of the caller, and where the attempt leaves what it brings.
func (x *unaryCall) withResults(options []grpc.CallOption, a *answer) []grpc.CallOption {
	options = append(options, x.opts...)
	if x.results != nil && len(x.results.headers) > 0 {
		options = append(options, grpc.Header(&a.header))
	}
	return append(options, grpc.Trailer(&a.trailer), grpc.Peer(&a.peer), grpc.OnFinish(a.finished))
}

// try makes an attempt if the gates let it in. parent is what its context hangs on: the caller's, or that of the race.
// within is the policies' own, which says when the total limit ends, and which attempt this is; entrance is that for the
// gates.
func (x *unaryCall) try(parent, within, entrance context.Context, a *answer, options []grpc.CallOption) (err error) {
	var p permits
	err = seawall.ErrAborted // until it is known
	defer func() { p.end(within, err) }()
	g := &x.client.gates
	if err = p.enter(entrance, g.breakers.For(x.target.key), g.unary.For(x.target.key)); err != nil {
		return err
	}
	err = seawall.ErrAborted
	err = x.invoke(parent, within, a, options)
	return err
}

// invoke makes an attempt. One that waits for a connection because the service config says so is not over with its limit.
func (x *unaryCall) invoke(parent, within context.Context, a *answer, options []grpc.CallOption) error {
	err := x.send(parent, within, a, options, x.settings.attempt)
	if a.waiting {
		err = x.send(parent, within, a, options, Off)
	}
	return err
}

// send hands an attempt to grpc-go.
func (x *unaryCall) send(
	parent, within context.Context, a *answer, options []grpc.CallOption, attempt time.Duration,
) error {
	a.begin()
	ctx, n := parent, seawall.Attempt(within)
	if n > 1 && n != seawall.Attempt(parent) {
		ctx = seawall.WithAttempt(parent, n)
	}
	ctx, cancel, limit := x.limit(ctx, within, attempt)
	defer cancel()
	err := x.invoker(outgoing(ctx, n), x.target.method, x.req, a.reply, x.cc, options...)
	if err == nil {
		return nil
	}
	return x.fail(parent, ctx, limit, a, err)
}

func nothing() {}

// limit gives an attempt the time that it has, and returns the limit of ours that comes before the caller's deadline, nil if
// none does.
//
// It is one context with one timer for both limits. That of package timeout, which carries the total limit through the
// policies, is not part of it, and so needs no timer unless the call waits somewhere.
func (x *unaryCall) limit(
	parent, within context.Context, attempt time.Duration,
) (ctx context.Context, cancel context.CancelFunc, limit error) {
	end, limited := within.Deadline()
	limit = x.limits.total
	if attempt > 0 {
		if ours := time.Now().Add(attempt); !limited || ours.Before(end) {
			end, limited, limit = ours, true, x.limits.attempt
		}
	}
	if outer, ok := parent.Deadline(); !limited || ok && !end.Before(outer) {
		if callers, ok := x.fresh.caller.Deadline(); !limited || ok && !outer.Before(callers) {
			return parent, nothing, nil
		}
		return parent, nothing, x.limits.total // of a race, whose context ends with it
	}
	ctx, cancel = context.WithDeadlineCause(parent, end, limit)
	return ctx, cancel, limit
}

// fail makes the error of an attempt, with the verdict on it.
func (x *unaryCall) fail(parent, ctx context.Context, limit error, a *answer, err error) error {
	failed, e := x.limits.blame(parent, ctx, limit, err)
	e.unsent = a.unsent()
	if e.unsent && x.waitsForReady(x.cc, x.target.method) {
		a.waiting = e.by == byLimit
		e.final = true // it has waited already
	}
	failed.settle(e, a.trailer, x.target.rules, x.idempotent, func() bool {
		return x.target.cfg.TrustPeer(a.withPeer(parent))
	})
	if e.by == byPeer && e.code == codes.DeadlineExceeded && withinMargin(ctx, limit) {
		failed.status, failed.err = status.New(e.code, limit.Error()), limit // the verdict stays: the server may have said more
	}
	return failed
}

// finish gives the caller what the call has brought.
func (x *unaryCall) finish(ctx context.Context, err error) error {
	err = conclude(ctx, err)
	if r := x.results; r != nil {
		x.answer.leave(r)
		for _, f := range r.finished {
			f(err)
		}
	}
	return err
}
