package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/errtype"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/timeout"
)

// keyedRequest is a request with an idempotency key on its way through an [Idempotency].
type keyedRequest struct {
	k     *Idempotency
	cfg   *IdempotencyConfig
	w     http.ResponseWriter
	r     *http.Request
	body  []byte // of r, which was read
	next  http.Handler
	lease Lease
}

// serve asks the store what is under the key, and does what it says.
func (c *keyedRequest) serve() {
	end := time.Now().Add(c.lease.For) // not later than the store's
	claim, err := c.begin()
	switch {
	case err != nil && c.cfg.OnStoreError == StoreErrorRun:
		c.k.counts.unguarded.Add(1)
		c.handle(c.r.Context(), c.w)
	case err != nil:
		say(c.w.Header(), c.pushback(), hop.Refused)
		writeAnswer(c.w, http.StatusServiceUnavailable, 0)
	case claim.State == ClaimNew:
		c.k.counts.began.Add(1)
		c.run(end)
	default:
		c.repeat(claim)
	}
}

// handle runs the handler.
func (c *keyedRequest) handle(ctx context.Context, w http.ResponseWriter) {
	req := c.r.WithContext(ctx)
	if c.body != nil {
		req.Body = newReadAgain(c.body, c.r.Body)
	}
	// The server looks at its own request when it is done, see Handler.
	defer func() { c.r.Pattern, c.r.MultipartForm = req.Pattern, req.MultipartForm }()
	c.next.ServeHTTP(w, req)
}

// run runs the handler under the lease, which ends at an instant, and keeps its answer.
func (c *keyedRequest) run(end time.Time) {
	rec := newRecorder(c.w, c.cfg.MaxAnswer)
	limit := new(limitContext)
	limit.begin(context.WithValue(c.r.Context(), recorderKey{}, rec), max(1, time.Until(end)))
	defer limit.release()
	timer := time.AfterFunc(time.Until(end), func() {
		limit.expire(&timeout.ExceededError{Name: c.k.name, Limit: c.lease.For})
	})
	defer timer.Stop()
	returned := false
	defer func() {
		if !returned { // a panic or a Goexit, which goes on
			c.unanswered(rec)
		}
	}()
	c.handle(limit, rec)
	returned = true

	stopped := limit.Err() != nil
	switch {
	case rec.status == 0 && errors.Is(limit.Err(), context.DeadlineExceeded): // which no client that leaves brings about
		c.unanswered(rec)
		return
	case rec.status == 0:
		rec.WriteHeader(http.StatusOK) // as net/http does
	}
	if asksForRepeat(rec.status) {
		if !rec.final.Load() {
			c.release()
			rec.deliver()
			return
		}
		say(rec.sent, c.pushback(), hop.Final)
	}
	c.keep(rec, rec.answer(stopped))
}

// pushback returns the name of the field that says what a repeat would do.
func (c *keyedRequest) pushback() string {
	if c.cfg.Pushback != "" {
		return c.cfg.Pushback
	}
	return pushbackField(c.w)
}

// unanswered ends a request whose handler has not come to the end of an answer.
func (c *keyedRequest) unanswered(rec *recorder) {
	if !rec.final.Load() {
		c.release()
		return
	}
	a := StoredAnswer{Status: http.StatusInternalServerError, Header: http.Header{}}
	if rec.status != 0 {
		a = rec.answer(true)
	}
	a.Body, a.Dropped = nil, true
	say(a.Header, c.pushback(), hop.Final)
	_ = c.finish(a) // counted there; there is nothing to fall back to
}

// keep gives the answer to the store, and then to the client.
func (c *keyedRequest) keep(rec *recorder, a StoredAnswer) {
	err := c.finish(a)
	if errors.Is(err, ErrLeaseLost) && !rec.streaming {
		// What counts is what the next owner has made of the key, if there is one. If there is none, it is ours again.
		switch claim, err := c.begin(); {
		case err != nil, claim.State == ClaimConflict:
		case claim.State == ClaimNew:
			_ = c.finish(a) // see below
		default:
			c.repeat(claim)
			return
		}
	}
	// If the store has failed, the work is done all the same. A client that is told otherwise would ask for it again.
	rec.deliver()
}

// repeat answers a request from what was found under its key.
func (c *keyedRequest) repeat(claim Claim) {
	switch claim.State {
	case ClaimDone:
		c.k.counts.replayed.Add(1)
		sendAgain(c.w, claim.Answer)
	case ClaimRunning:
		c.k.counts.inFlight.Add(1)
		c.w.Header().Set("Retry-After", strconv.FormatInt(retrySeconds(0, int64N), 10))
		c.cfg.explain(c.w, http.StatusConflict, keyAtWork)
	default:
		c.k.counts.conflicts.Add(1)
		c.cfg.explain(c.w, http.StatusUnprocessableEntity, keyReused)
	}
}

// asksForRepeat reports whether a status says that the same request may do better later.
func asksForRepeat(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500 || status < 200
}

func (c *keyedRequest) begin() (claim Claim, err error) {
	ctx, cancel := context.WithTimeout(c.r.Context(), c.cfg.StoreTimeout)
	defer cancel()
	if err = errStoreStuck; c.k.overdue.Load() < mostOverdue {
		claim, err = c.k.call(ctx, func(ctx context.Context) (Claim, error) { return c.k.store.Begin(ctx, c.lease) }, c.undo)
	}
	switch {
	case err != nil:
	case claim.State < ClaimNew || claim.State > ClaimConflict:
		err = fmt.Errorf("httpx: the store of idempotency keys answers with the state %d", claim.State)
	case claim.State == ClaimDone && (claim.Answer.Status < 200 || claim.Answer.Status > 999): // which cannot be sent
		err = fmt.Errorf("httpx: the store of idempotency keys answers with the status %d", claim.Answer.Status)
	}
	if c.r.Context().Err() == nil { // else it is not the store's fault
		c.k.judge(ctx, err)
	}
	return claim, err
}

// undo gives back what a Begin has claimed that was not waited for.
func (c *keyedRequest) undo(claim Claim, err error) {
	if err != nil || claim.State != ClaimNew {
		return
	}
	ctx, cancel := c.afterwards()
	defer cancel()
	_ = c.k.store.Release(ctx, c.lease) // after an error the lease frees the key in its time
}

// afterwards returns the context of a call that goes on after the client has left.
func (c *keyedRequest) afterwards() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.r.Context()), c.cfg.StoreTimeout)
}

func (c *keyedRequest) finish(a StoredAnswer) error {
	ctx, cancel := c.afterwards()
	defer cancel()
	_, err := c.k.call(ctx, func(ctx context.Context) (Claim, error) {
		return Claim{}, c.k.store.Finish(ctx, c.lease, a, c.cfg.Keep)
	}, nil)
	if errors.Is(err, ErrLeaseLost) {
		c.k.counts.leasesLost.Add(1)
		c.k.judge(ctx, nil)
		return err
	}
	if err == nil && a.Dropped {
		c.k.counts.bodiesDropped.Add(1)
	}
	c.k.judge(ctx, err)
	return err
}

func (c *keyedRequest) release() {
	ctx, cancel := c.afterwards()
	defer cancel()
	c.k.counts.freed.Add(1)
	_, err := c.k.call(ctx, func(ctx context.Context) (Claim, error) {
		return Claim{}, c.k.store.Release(ctx, c.lease)
	}, nil)
	c.k.judge(ctx, err) // as with undo
}

// judge takes note of how a call of the store has ended, and tells it when that has changed.
func (k *Idempotency) judge(ctx context.Context, err error) {
	if err != nil {
		k.counts.storeErrors.Add(1)
	}
	if lost := err != nil; k.lost.Load() == lost || k.lost.Swap(lost) == lost {
		return
	}
	if err != nil {
		// Its type only: the text of a driver's error may hold what is nobody's business.
		k.registry.Log(ctx, slog.LevelWarn, "seawall.idempotency.store_lost",
			slog.String("name", k.name), slog.String("error_type", errtype.Of(err, seawall.Classify(err).Outcome)))
		return
	}
	k.registry.Log(ctx, slog.LevelInfo, "seawall.idempotency.store_restored", slog.String("name", k.name))
}
