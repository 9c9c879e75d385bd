package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

var created = httpx.StoredAnswer{
	Status: http.StatusCreated,
	Header: http.Header{"Location": {"/orders/1"}, "Set-Cookie": {"a=1", "b=2"}},
	Body:   []byte("{\"id\":1}\x00\xff"),
}

// other is told from created by its status.
var other = httpx.StoredAnswer{Status: http.StatusAccepted, Header: http.Header{"X-Owner": {"second"}}, Body: []byte("second")}

var cases = []testCase{
	{"the first one to begin gets the entry, the next one finds it running", func(b *bench) error {
		return steps(
			func() error { return b.want(b.lease("k"), httpx.ClaimNew) },
			func() error { return b.want(b.lease("k"), httpx.ClaimRunning) },
			func() error { return b.want(b.lease("k"), httpx.ClaimRunning) },
		)
	}},
	{"what is done is found with its answer, again and again", func(b *bench) error {
		l := b.lease("k")
		return steps(
			func() error { return b.want(l, httpx.ClaimNew) },
			func() error { return b.finish(l, created, long) },
			func() error { return b.wantAnswer(b.lease("k"), created) },
			func() error { return b.wantAnswer(b.lease("k"), created) },
		)
	}},
	{"an answer may be small, or without its body", func(b *bench) error {
		for i, a := range []httpx.StoredAnswer{
			{Status: http.StatusNoContent},
			{Status: http.StatusOK, Header: http.Header{"X-Empty": {""}}, Dropped: true},
			{Status: http.StatusConflict, Body: []byte{0}},
			{Status: http.StatusInternalServerError, Header: http.Header{"Seawall-Pushback": {"final"}}, Dropped: true},
		} {
			l := b.lease(fmt.Sprint("k", i))
			if err := steps(
				func() error { return b.want(l, httpx.ClaimNew) },
				func() error { return b.finish(l, a, long) },
				func() error { return b.wantAnswer(b.lease(l.Entry.Key), a) },
			); err != nil {
				return fmt.Errorf("answer %d: %w", i, err)
			}
		}
		return nil
	}},
	{"another fingerprint is a conflict while the first runs, and when it is done", func(b *bench) error {
		l, second := b.lease("k"), b.lease("k")
		second.Fingerprint[31]++
		return steps(
			func() error { return b.want(l, httpx.ClaimNew) },
			func() error { return b.want(second, httpx.ClaimConflict) },
			func() error { return b.want(b.lease("k"), httpx.ClaimRunning) },
			func() error { return b.finish(l, created, long) },
			func() error { return b.want(second, httpx.ClaimConflict) },
			func() error { return b.wantAnswer(b.lease("k"), created) },
		)
	}},
	{"what is released is new, for any fingerprint", func(b *bench) error {
		l, second := b.lease("k"), b.lease("k")
		second.Fingerprint[0]++
		return steps(
			func() error { return b.want(l, httpx.ClaimNew) },
			func() error { return b.release(l) },
			func() error { return b.want(second, httpx.ClaimNew) },
			func() error { return b.want(b.lease("k"), httpx.ClaimConflict) },
		)
	}},
	{"who does not own a lease cannot finish or release it", func(b *bench) error {
		l, stranger := b.lease("k"), b.lease("k")
		return steps(
			func() error { return b.want(l, httpx.ClaimNew) },
			func() error { return b.wantLost(stranger, other) },
			func() error { return b.release(stranger) },
			func() error { return b.want(b.lease("k"), httpx.ClaimRunning) },
			func() error { return b.finish(l, created, long) },
			func() error { return b.wantAnswer(b.lease("k"), created) },
		)
	}},
	{"what nobody has begun cannot be finished", func(b *bench) error {
		return steps(
			func() error { return b.wantLost(b.lease("k"), other) },
			func() error { return b.release(b.lease("k")) },
			func() error { return b.want(b.lease("k"), httpx.ClaimNew) },
		)
	}},
	{"what is done stays done, whatever its owner does then", func(b *bench) error {
		l := b.lease("k")
		return steps(
			func() error { return b.want(l, httpx.ClaimNew) },
			func() error { return b.finish(l, created, long) },
			func() error { return b.release(l) },
			func() error { return b.wantAnswer(b.lease("k"), created) },
			func() error { return b.wantLost(l, other) },
			func() error { return b.wantAnswer(b.lease("k"), created) },
		)
	}},
	{"what was released cannot be finished any more", func(b *bench) error {
		l := b.lease("k")
		return steps(
			func() error { return b.want(l, httpx.ClaimNew) },
			func() error { return b.release(l) },
			func() error { return b.wantLost(l, created) },
			func() error { return b.want(b.lease("k"), httpx.ClaimNew) },
		)
	}},
	{"entries differ by each of their parts, to the byte", func(b *bench) error {
		first := b.lease("key")
		entries := []httpx.IdempotencyEntry{first.Entry}
		for _, change := range []func(*httpx.IdempotencyEntry){
			func(e *httpx.IdempotencyEntry) { e.Tenant += "2" },
			func(e *httpx.IdempotencyEntry) { e.Method = "PATCH" },
			func(e *httpx.IdempotencyEntry) { e.Method = "post" },
			func(e *httpx.IdempotencyEntry) { e.Route = "/orders/" },
			func(e *httpx.IdempotencyEntry) { e.Route = "POST /orders/{id}" },
			func(e *httpx.IdempotencyEntry) { e.Key = "KEY" },
			func(e *httpx.IdempotencyEntry) { e.Key = "key " },
			func(e *httpx.IdempotencyEntry) { e.Key = " key" },
			func(e *httpx.IdempotencyEntry) { e.Key = "ke_" },
			func(e *httpx.IdempotencyEntry) { e.Key = "key%" },
			func(e *httpx.IdempotencyEntry) { e.Key = `key'; DROP TABLE idempotency; --` },
			func(e *httpx.IdempotencyEntry) { e.Key = strings.Repeat("k", 254) + "a" },
			func(e *httpx.IdempotencyEntry) { e.Key = strings.Repeat("k", 254) + "b" },
			func(e *httpx.IdempotencyEntry) { e.Route = "/" + strings.Repeat("r", 4000) + "a" },
			func(e *httpx.IdempotencyEntry) { e.Route = "/" + strings.Repeat("r", 4000) + "b" },
			// The same letters, cut elsewhere.
			func(e *httpx.IdempotencyEntry) { e.Route, e.Key = "/orders/k", "ey" },
			func(e *httpx.IdempotencyEntry) { e.Route, e.Key = "/orders", "/key" },
			func(e *httpx.IdempotencyEntry) { e.Tenant, e.Method = e.Tenant+"P", "OST" },
			func(e *httpx.IdempotencyEntry) { e.Tenant, e.Method, e.Route = e.Tenant+":POST", "", "/orders" },
			func(e *httpx.IdempotencyEntry) { e.Tenant += "\x00" },
			func(e *httpx.IdempotencyEntry) { e.Tenant += "é" },
			func(e *httpx.IdempotencyEntry) { e.Tenant += "e\u0301" },
		} {
			e := first.Entry
			change(&e)
			entries = append(entries, e)
		}
		for _, separator := range []string{":", "/", "|", ",", " ", "\x00", "\n", "\""} {
			one, two := first.Entry, first.Entry
			one.Key = "x" + separator + "y"
			two.Route, two.Key = two.Route+separator+"x", "y"
			entries = append(entries, one, two)
		}
		for _, e := range entries {
			l := b.lease("")
			l.Entry = e
			if err := b.want(l, httpx.ClaimNew); err != nil {
				return fmt.Errorf("%.80q: %w", e, err)
			}
			a := created
			a.Body = []byte(fmt.Sprintf("%q", e))
			if err := b.finish(l, a, long); err != nil {
				return fmt.Errorf("%.80q: %w", e, err)
			}
		}
		for _, e := range entries {
			l := b.lease("")
			l.Entry = e
			a := created
			a.Body = []byte(fmt.Sprintf("%q", e))
			if err := b.wantAnswer(l, a); err != nil {
				return fmt.Errorf("%.80q: %w", e, err)
			}
		}
		return nil
	}},
	{"of many that begin an entry at the same time one gets it", func(b *bench) error {
		return b.oneOfMany(func(l httpx.Lease) error { return nil })
	}},
	{"of many that begin an entry whose lease has run out one gets it", func(b *bench) error {
		return b.oneOfMany(func(l httpx.Lease) error {
			l.Token, l.For = b.lease("").Token, time.Millisecond
			if err := b.want(l, httpx.ClaimNew); err != nil {
				return err
			}
			time.Sleep(short)
			return nil
		})
	}},
	{"a call whose context has ended claims nothing", func(b *bench) error {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		l := b.lease("k")
		if _, err := b.store.Begin(ctx, l); err == nil {
			return errors.New("begin went through")
		}
		if err := b.want(l, httpx.ClaimNew); err != nil {
			return err
		}
		if err := b.store.Finish(ctx, l, created, long); err == nil {
			return errors.New("finish went through")
		}
		if err := b.store.Release(ctx, l); err == nil {
			return errors.New("release went through")
		}
		return b.want(b.lease("k"), httpx.ClaimRunning)
	}},
}

// wantAnswer begins an entry, and wants to find an answer.
func (b *bench) wantAnswer(l httpx.Lease, want httpx.StoredAnswer) error {
	claim, err := b.begin(l)
	switch {
	case err != nil:
		return fmt.Errorf("begin: %w", err)
	case claim.State != httpx.ClaimDone:
		return fmt.Errorf("begin found %v, want %v", claim.State, httpx.ClaimDone)
	case !equal(claim.Answer, want):
		return fmt.Errorf("begin found the answer %+v, want %+v", claim.Answer, want)
	}
	return nil
}

// equal does not tell nil from empty: not every form in which answers are stored does.
func equal(a, b httpx.StoredAnswer) bool {
	return a.Status == b.Status && a.Dropped == b.Dropped && string(a.Body) == string(b.Body) &&
		len(a.Header) == len(b.Header) && (len(a.Header) == 0 || reflect.DeepEqual(a.Header, b.Header))
}

// wantLost finishes an entry, and wants to hear that it cannot.
func (b *bench) wantLost(l httpx.Lease, a httpx.StoredAnswer) error {
	if err := b.finish(l, a, long); !errors.Is(err, httpx.ErrLeaseLost) {
		return fmt.Errorf("finish returned %v, want %v", err, httpx.ErrLeaseLost) //nolint:errorlint // a text for people
	}
	return nil
}

// oneOfMany prepares some entries, and lets many begin each.
func (b *bench) oneOfMany(prepare func(httpx.Lease) error) error {
	const entries, owners = 4, 25
	for i := range entries {
		key := fmt.Sprint("k", i)
		if err := prepare(b.lease(key)); err != nil {
			return err
		}
		var (
			wg     sync.WaitGroup
			start  = make(chan struct{})
			claims [owners]httpx.Claim
			errs   [owners]error
		)
		for j := range owners {
			l := b.lease(key)
			wg.Go(func() {
				<-start
				claims[j], errs[j] = b.begin(l)
			})
		}
		close(start)
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
		found := map[httpx.ClaimState]int{}
		for _, c := range claims {
			found[c.State]++
		}
		if found[httpx.ClaimNew] != 1 || found[httpx.ClaimRunning] != owners-1 {
			return fmt.Errorf("%d began at the same time, and found %v: want one new, the others running", owners, found)
		}
	}
	return nil
}
