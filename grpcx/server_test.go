package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/timeout"
)

func nothing(context.Context) error { return nil }

func TestEveryKindOfCallIsServedAndGivesItsSlotBack(t *testing.T) {
	for _, network := range networks {
		for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
			r := serve(t, network, at(place), nothing)
			for kind, call := range kinds {
				before := r.stats().Admitted
				if err := call(t.Context(), r.client); err != nil {
					t.Errorf("%s, %s, %s: %v", network, place, kind, err)
				}
				r.idle(t)
				if n := r.stats().Admitted - before; n != 1 {
					t.Errorf("%s, %s, %s: admitted %d times", network, place, kind, n)
				}
			}
		}
	}
}

// T38, T67: the right code, and the hint in both forms, for each reason and kind of call, over real connections.
func TestEveryRefusalHasItsCodeAndAHint(t *testing.T) {
	const hint = 3 * time.Second
	quota := grpcx.ServerConfig{}
	quota.Quota.Limit = ratelimit.Config{Rate: 1 / hint.Seconds(), Burst: 1}
	for name, c := range map[string]struct {
		cfg    grpcx.ServerConfig
		upset  func(*testing.T, *rig, *door) (mend func())
		code   codes.Code
		reason seawall.Reason
		least  time.Duration
	}{
		"full": {
			fixed(1, 0), func(t *testing.T, r *rig, d *door) func() { return r.fill(t, d, 1) },
			codes.Unavailable, seawall.ReasonFull, time.Second,
		},
		"quota": {
			quota, func(t *testing.T, r *rig, d *door) func() { close(d.open); return r.spend(t) },
			codes.ResourceExhausted, seawall.ReasonLimited, hint / 2,
		},
		"draining": {
			fixed(1, 0), func(_ *testing.T, r *rig, _ *door) func() { r.server.Drain(); return func() {} },
			codes.Unavailable, seawall.ReasonDraining, time.Second,
		},
		"forced": {
			fixed(1, 0), func(_ *testing.T, r *rig, _ *door) func() {
				if err := r.server.Admission().(*bulkhead.Bulkhead).SetMode(seawall.ForcedOpen); err != nil {
					panic(err)
				}
				return func() {}
			},
			codes.Unavailable, seawall.ReasonForced, time.Second,
		},
	} {
		for _, network := range networks {
			for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
				t.Run(name+", "+network+", "+string(place), func(t *testing.T) {
					d := newDoor()
					c.cfg.Admission.Place = place
					r := serve(t, network, c.cfg, d.hold)
					mend := c.upset(t, r, d)
					begun := len(d.inside)
					for kind, call := range kinds {
						var trailer metadata.MD
						err := call(t.Context(), r.client, grpc.Trailer(&trailer))
						wantCode(t, err, c.code)
						if got := status.Convert(err).Message(); got != string(c.reason) {
							t.Errorf("%s: the reason is %q, want %q", kind, got, c.reason)
						}
						wait := retryInfo(t, err)
						if wait < c.least || wait > 5*hint/4 {
							t.Errorf("%s: RetryInfo is %v, want %v or a little more", kind, wait, c.least)
						}
						if place == grpcx.BeforeDecode {
							continue // a tap sends no trailers
						}
						if got := trailer.Get("seawall-pushback"); len(got) != 1 || got[0] != "refused" {
							t.Errorf("%s: seawall-pushback is %q", kind, got)
						}
						millis := time.Duration(0)
						if got := trailer.Get("grpc-retry-pushback-ms"); len(got) == 1 {
							millis, _ = time.ParseDuration(got[0] + "ms")
						}
						if millis != wait {
							t.Errorf("%s: grpc-retry-pushback-ms is %v, and RetryInfo %v", kind, millis, wait)
						}
					}
					if len(d.inside) != begun {
						t.Error("a handler began for a call that was refused")
					}
					if n := r.server.Stats().Refused; n != int64(len(kinds)) {
						t.Errorf("%d calls were counted as refused, want %d", n, len(kinds))
					}
					mend()
					r.idle(t)
				})
			}
		}
	}
}

// spend uses up the quota.
func (r *rig) spend(t *testing.T) (mend func()) {
	t.Helper()
	if err := kinds["unary"](t.Context(), r.client); err != nil {
		t.Fatal(err)
	}
	return func() {}
}

// retryInfo returns what the status says about when to come back; 0 if it says nothing.
func retryInfo(t *testing.T, err error) time.Duration {
	t.Helper()
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// T38: who are refused together are not told the same time.
func TestHintsOfARefusalAreSpreadUpwards(t *testing.T) {
	r := serve(t, "bufconn", fixed(1, 0), nothing)
	r.server.Drain()
	seen := map[time.Duration]bool{}
	for range 20 {
		wait := retryInfo(t, kinds["unary"](t.Context(), r.client))
		if wait < time.Second || wait > 1250*time.Millisecond {
			t.Errorf("the hint is %v, want 1s to 1.25s", wait)
		}
		seen[wait] = true
	}
	if len(seen) < 5 {
		t.Errorf("20 hints had %d values", len(seen))
	}
}

// T38: a rejection by what a handler needs is not UNKNOWN, and does not claim that nothing was started.
func TestRejectionInsideOfAHandlerIsUnavailableAndNotCalledRefused(t *testing.T) {
	sentinel := errors.New("open")
	r := serve(t, "bufconn", grpcx.ServerConfig{}, func(context.Context) error {
		return seawall.Reject("breaker", "psp", seawall.ReasonOpen, sentinel, 2*time.Second)
	})
	for kind, call := range kinds {
		var trailer metadata.MD
		err := call(t.Context(), r.client, grpc.Trailer(&trailer))
		wantCode(t, err, codes.Unavailable)
		if wait := retryInfo(t, err); wait < 1900*time.Millisecond {
			t.Errorf("%s: RetryInfo is %v, want 2s or more", kind, wait)
		}
		if got := trailer.Get("seawall-pushback"); got != nil {
			t.Errorf("%s: seawall-pushback is %q", kind, got)
		}
		if strings.Contains(err.Error(), "psp") {
			t.Errorf("%s: %v names a policy", kind, err)
		}
	}
}

// T65: 10,000 messages on one stream take one slot and one outcome.
func TestStreamOfTenThousandMessagesTakesOneSlot(t *testing.T) {
	for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
		cfg := fixed(1, 0)
		cfg.Admission.Place = place
		d := newDoor()
		r := serve(t, "bufconn", cfg, d.hold)
		stream, err := r.client.List(t.Context(), &echopb.EchoRequest{Count: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 10_000 {
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			if s := r.stats(); n%1000 == 0 && (s.InUse != 1 || s.Admitted != 1) {
				t.Fatalf("%s: after %d messages %d slots are in use, %d were given", place, n, s.InUse, s.Admitted)
			}
		}
		wantCode(t, kinds["unary"](t.Context(), r.client), codes.Unavailable)
		close(d.open)
		if _, err := stream.Recv(); ended(err) != nil {
			t.Fatal(err)
		}
		r.idle(t)
		if s := r.stats(); s.Admitted != 1 {
			t.Errorf("%s: %d slots were given", place, s.Admitted)
		}
	}
}

// T65, T2: whatever ends a call, its slot comes back once.
func TestSlotComesBackOnEveryPath(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(context.Context, chan struct{}) error // the handler; the channel tells that it has begun
		leave func(cancel func(), r *rig)                // what happens meanwhile
		code  codes.Code
	}{
		"success": {func(context.Context, chan struct{}) error { return nil }, nil, codes.OK},
		"error":   {func(context.Context, chan struct{}) error { return status.Error(codes.NotFound, "") }, nil, codes.NotFound},
		"panic":   {func(context.Context, chan struct{}) error { panic("ouch") }, nil, codes.Internal},
		"deadline": {func(ctx context.Context, _ chan struct{}) error {
			<-ctx.Done()
			return ctx.Err()
		}, nil, codes.DeadlineExceeded},
		"goexit":         {func(context.Context, chan struct{}) error { runtime.Goexit(); return nil }, nil, codes.DeadlineExceeded},
		"client cancels": {waits, func(cancel func(), _ *rig) { cancel() }, codes.Canceled},
		"client is gone": {waits, func(_ func(), r *rig) { _ = r.conn.Close() }, codes.Canceled},
		"server stops":   {waits, func(_ func(), r *rig) { r.grpc.Stop() }, codes.Unavailable},
	} {
		for kind, call := range kinds {
			for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
				t.Run(name+", "+kind+", "+string(place), func(t *testing.T) {
					begun := make(chan struct{}, 1)
					r := serve(t, "bufconn", at(place), func(ctx context.Context) error { return c.do(ctx, begun) })
					limit := time.Minute
					if c.code == codes.DeadlineExceeded {
						limit = 20 * time.Millisecond
					}
					for r.stats().Admitted == 0 { // the deadline may pass before the call has a slot
						ctx, cancel := context.WithTimeout(t.Context(), limit)
						if c.leave != nil {
							go func() { <-begun; c.leave(cancel, r) }()
						}
						wantCode(t, call(ctx, r.client), c.code)
						cancel()
					}
					r.idle(t)
					if s := r.stats(); s.Admitted != 1 {
						t.Errorf("%d slots were given", s.Admitted)
					}
				})
			}
		}
	}
}

func waits(ctx context.Context, begun chan struct{}) error {
	begun <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// T65: a client that does not read holds the slot of its stream, and gives it back when it leaves.
func TestSlowReaderHoldsItsSlotUntilItLeaves(t *testing.T) {
	r := serve(t, "loopback", fixed(1, 0), nothing)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := r.client.List(ctx, &echopb.EchoRequest{Count: 1000, Payload: make([]byte, 1<<16)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream has its slot", func() bool { return r.stats().InUse == 1 })
	wantCode(t, kinds["unary"](t.Context(), r.client), codes.Unavailable)
	cancel()
	r.idle(t)
}

// T36, T62: who is more important gets the slot, by what a trusted peer says, in whatever order they came.
func TestPriorityOfATrustedPeerDecidesInAFullHouse(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		var served sync.Map
		d := newDoor()
		cfg := fixed(1, 2)
		if trusted {
			cfg.TrustPeer = grpcx.TrustAll
		}
		r := serve(t, "loopback", cfg, func(ctx context.Context) error {
			served.Store(seawall.PriorityOf(ctx), true)
			return d.hold(ctx)
		})
		release := r.fill(t, d, 1)
		errs := map[string]chan error{}
		for n, p := range []string{"sheddable", "sheddable-plus", "critical-plus"} { // the queue is full with two
			errs[p] = make(chan error, 1)
			go func() {
				ctx := metadata.AppendToOutgoingContext(context.WithoutCancel(t.Context()), "seawall-priority", p)
				errs[p] <- kinds["unary"](ctx, r.client)
			}()
			eventually(t, "it waits", func() bool { s := r.stats(); return s.Waiting+int(s.Rejected.Total()) == n+1 })
		}
		shed := "critical-plus" // as the last to come
		if trusted {
			shed = "sheddable"
		}
		wantCode(t, <-errs[shed], codes.Unavailable)
		release()
		for p, err := range errs {
			if p != shed {
				wantCode(t, <-err, codes.OK)
			}
		}
		if _, ok := served.Load(seawall.CriticalPlus); ok != trusted {
			t.Errorf("trusted %t: a handler saw critical-plus: %t", trusted, ok)
		}
		r.idle(t)
	}
}

// T32: what a peer says is clamped, and ignored unless it is trusted.
func TestFactsAreBelievedFromTrustedPeersAndClamped(t *testing.T) {
	for _, c := range []struct {
		priority, attempts []string
		want               seawall.Priority
		attempt            int
	}{
		{[]string{"sheddable"}, []string{"2"}, seawall.Sheddable, 3},
		{[]string{"critical-plus"}, []string{"0"}, seawall.CriticalPlus, 1},
		{[]string{"500"}, []string{"-1"}, seawall.Critical, 1},
		{[]string{""}, []string{"99999999999999999999"}, seawall.Critical, 1000},
		{[]string{"sheddable", "critical-plus"}, []string{"1", "2"}, seawall.Critical, 1},
		{nil, []string{"x"}, seawall.Critical, 1},
	} {
		for _, trusted := range []bool{true, false} {
			for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
				cfg := at(place)
				if trusted {
					cfg.TrustPeer = grpcx.TrustLoopback
				}
				var got atomic.Pointer[context.Context]
				r := serve(t, "loopback", cfg, func(ctx context.Context) error { got.Store(&ctx); return nil })
				for kind, call := range kinds {
					ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD{
						"seawall-priority": c.priority, "grpc-previous-rpc-attempts": c.attempts,
					})
					if err := call(ctx, r.client); err != nil {
						t.Fatal(err)
					}
					priority, attempt := seawall.PriorityOf(*got.Load()), seawall.Attempt(*got.Load())
					want, n := c.want, c.attempt
					if !trusted {
						want, n = seawall.Critical, 1
					}
					if priority != want || attempt != n {
						t.Errorf("%s, trusted %t, %q %q: %v and attempt %d, want %v and %d",
							kind, trusted, c.priority, c.attempts, priority, attempt, want, n)
					}
				}
			}
		}
	}
}

// The answer of a handler that ends at its deadline arrives before the caller's.
func TestHandlersDeadlineIsTheCallersLessTheMargin(t *testing.T) {
	const margin = 200 * time.Millisecond
	left := make(chan time.Duration, 1)
	r := serve(t, "loopback", grpcx.ServerConfig{DeadlineMargin: margin}, func(ctx context.Context) error {
		l, ok := seawall.Remaining(ctx)
		if !ok {
			l = -1
		}
		left <- l
		return nil
	})
	for kind, call := range kinds {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := call(ctx, r.client); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		l := <-left
		callers, _ := seawall.Remaining(ctx)
		if ahead := callers - l; ahead < margin-time.Second/10 || l <= 0 { // the way back is in it
			t.Errorf("%s: the handler had %v when the caller had %v", kind, l, callers)
		}
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second) // of which the margin is no more than a tenth
		if err := call(ctx, r.client); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if l := <-left; l < 500*time.Millisecond || l > 900*time.Millisecond {
			t.Errorf("%s: of a second the handler had %v, want 900ms or less", kind, l)
		}
		cancel()
	}
}

// T58: our limit has our cause, and the code is DEADLINE_EXCEEDED before the caller's time is over.
func TestHandlerThatTakesTooLongEndsWithDeadlineExceeded(t *testing.T) {
	for name, do := range map[string]func(context.Context) error{
		"its context's error": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"the cause":           func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) },
		"an error of its own": func(ctx context.Context) error { <-ctx.Done(); return errors.New("statement canceled") },
	} {
		r := serve(t, "bufconn", grpcx.ServerConfig{Timeout: 20 * time.Millisecond}, do)
		wantCode(t, kinds["unary"](t.Context(), r.client), codes.DeadlineExceeded)
		if n := r.server.Stats().OutOfTime; n != 1 {
			t.Errorf("%s: %d calls were out of time", name, n)
		}
		r.idle(t)
	}
	r := serve(t, "bufconn", grpcx.ServerConfig{}, func(context.Context) error {
		return fmt.Errorf("asking the bank: %w", &timeout.ExceededError{Name: "bank", Limit: time.Second})
	})
	for _, call := range kinds {
		wantCode(t, call(t.Context(), r.client), codes.DeadlineExceeded)
	}
	if n := r.server.Stats().OutOfTime; n != 0 {
		t.Errorf("%d calls were out of time, and had it all", n)
	}
	r = serve(t, "bufconn", grpcx.ServerConfig{Timeout: time.Millisecond}, func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); ok {
			return errors.New("a stream has a deadline that nobody gave it")
		}
		return nil
	})
	for _, kind := range []string{"server stream", "client stream", "bidi stream"} {
		wantCode(t, kinds[kind](t.Context(), r.client), codes.OK)
	}
}

// A status that a handler chose stands, also when its time is over.
func TestStatusOfAHandlerIsPassedOn(t *testing.T) {
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		r := serve(t, "bufconn", grpcx.ServerConfig{Timeout: 10 * time.Millisecond}, func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); limited {
				<-ctx.Done()
			}
			return status.Error(code, "as it is")
		})
		for _, call := range kinds {
			wantCode(t, call(t.Context(), r.client), code)
		}
	}
}

// T34, T36: a deadline that passes in the queue is DEADLINE_EXCEEDED, and no handler begins.
func TestDeadlineThatPassesInTheQueueEndsTheCall(t *testing.T) {
	d := newDoor()
	r := serve(t, "loopback", fixed(1, 10), d.hold)
	release := r.fill(t, d, 1)
	for _, call := range kinds {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		wantCode(t, call(ctx, r.client), codes.DeadlineExceeded)
		cancel()
	}
	eventually(t, "the queue is empty", func() bool { return r.stats().Waiting == 0 })
	if len(d.inside) != 0 {
		t.Error("a handler began")
	}
	release()
	r.idle(t)
}

// T36: a call that is canceled in the queue is never served.
func TestClientThatLeavesLeavesTheQueue(t *testing.T) {
	d := newDoor()
	r := serve(t, "loopback", fixed(1, 100), d.hold)
	release := r.fill(t, d, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 5 {
		for _, call := range kinds {
			all.Go(func() { wantCode(t, call(ctx, r.client), codes.Canceled) })
		}
	}
	eventually(t, "all wait", func() bool { return r.stats().Waiting == 20 })
	cancel()
	all.Wait()
	eventually(t, "the queue is empty", func() bool { return r.stats().Waiting == 0 })
	release()
	r.idle(t)
	if s := r.stats(); s.Admitted != 1 || len(d.inside) != 0 {
		t.Errorf("%d calls were admitted, and %d handlers began", s.Admitted, len(d.inside))
	}
}

// GOAWAY while calls wait: those that have come are served.
func TestGracefulStopServesThoseWhoWaitInTheQueue(t *testing.T) {
	d := newDoor()
	r := serve(t, "loopback", fixed(1, 10), d.hold)
	release := r.fill(t, d, 1)
	waiting := make(chan error, len(kinds))
	for _, call := range kinds {
		go func() { waiting <- call(context.WithoutCancel(t.Context()), r.client) }()
	}
	eventually(t, "all wait", func() bool { return r.stats().Waiting == len(kinds) })
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.grpc.GracefulStop() }()
	r.server.Drain()
	eventually(t, "no call is let in", func() bool {
		return status.Code(kinds["unary"](t.Context(), r.client)) == codes.Unavailable
	})
	release()
	for range kinds {
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	}
	<-stopped
	r.idle(t)
}

// The tokens of a call that is then refused further in come back.
func TestQuotaGetsBackWhatTheAdmissionRefuses(t *testing.T) {
	d := newDoor()
	cfg := fixed(1, 0)
	cfg.Quota.Limit = ratelimit.Config{Rate: 0.001, Burst: 2}
	r := serve(t, "bufconn", cfg, d.hold)
	release := r.fill(t, d, 1)
	for range 5 {
		for _, call := range kinds {
			wantCode(t, call(t.Context(), r.client), codes.Unavailable)
		}
	}
	release()
	wantCode(t, kinds["unary"](t.Context(), r.client), codes.OK)
	wantCode(t, kinds["unary"](t.Context(), r.client), codes.ResourceExhausted)
}

// All clients shared one quota, by a name that none of them can send.
func TestAKeyByANameThatCannotBeInMetadataIsRefused(t *testing.T) {
	for _, name := range []string{"", "x-api-key:", "x api key", ":path", "schlüssel"} {
		func() {
			defer func() {
				want := fmt.Sprintf("grpcx: KeyByMetadata: the name is %q, want that of a pair of metadata", name)
				if got := recover(); got != want {
					t.Errorf("%q: %v, want %q", name, got, want)
				}
			}()
			grpcx.KeyByMetadata(name)
		}()
	}
	md := metadata.Pairs("x-api-key", "a", ":authority", "b", "id-bin", "c", "a.b_c", "d")
	ctx := metadata.NewIncomingContext(t.Context(), md)
	for name, want := range map[string]string{" X-Api-Key ": "a", ":authority": "b", "id-bin": "c", "a.b_c": "d"} {
		if key, ok := grpcx.KeyByMetadata(name)(ctx, ""); key != want || !ok {
			t.Errorf("%q: %q, %t, want %q", name, key, ok, want)
		}
	}
}

// One client's quota is not another's.
func TestQuotaIsByClient(t *testing.T) {
	var cfg grpcx.ServerConfig
	cfg.Quota.Key = func(ctx context.Context, method string) (string, bool) {
		tenant, _ := grpcx.KeyByMetadata("tenant")(ctx, method)
		return tenant + method, tenant != "free"
	}
	cfg.Quota.Limit = ratelimit.Config{Rate: 0.001, Burst: 1}
	r := serve(t, "bufconn", cfg, nothing)
	for _, tenant := range []string{"a", "b"} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "tenant", tenant)
		for _, call := range kinds {
			wantCode(t, call(ctx, r.client), codes.OK)
			wantCode(t, call(ctx, r.client), codes.ResourceExhausted)
		}
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "tenant", "free")
	for range 3 {
		wantCode(t, kinds["unary"](ctx, r.client), codes.OK)
	}
}
