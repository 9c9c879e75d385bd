package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

// timed are the cases in which a lease or an answer runs out.
var timed = []testCase{
	{"a lease that has run out is free, not earlier, and for any fingerprint", func(b *bench) error {
		l := b.lease("k")
		l.For = short
		start := time.Now()
		if err := b.want(l, httpx.ClaimNew); err != nil {
			return err
		}
		second := b.lease("k")
		second.Fingerprint[5]++
		_, err := b.comes(second, httpx.ClaimNew)
		if early := time.Since(start); err == nil && early < short {
			return fmt.Errorf("begun again after %v, with a lease for %v", early, short)
		}
		return err
	}},
	{"who comes late cannot overwrite or release what the next owner has", func(b *bench) error {
		late := b.lease("k")
		late.For = short
		if err := b.want(late, httpx.ClaimNew); err != nil {
			return err
		}
		owner, err := b.comes(b.lease("k"), httpx.ClaimNew)
		if err != nil {
			return err
		}
		return steps(
			func() error { return b.wantLost(late, created) },
			func() error { return b.release(late) },
			func() error { return b.want(b.lease("k"), httpx.ClaimRunning) },
			func() error { return b.finish(owner, other, long) },
			func() error { return b.wantLost(late, created) },
			func() error { return b.release(late) },
			func() error { return b.wantAnswer(b.lease("k"), other) },
		)
	}},
	{"who comes late with nobody after him is told what became of it", func(b *bench) error {
		l := b.lease("k")
		l.For = short
		if err := b.want(l, httpx.ClaimNew); err != nil {
			return err
		}
		time.Sleep(2 * short)
		err := b.finish(l, created, long)
		switch {
		case err == nil:
			return b.wantAnswer(b.lease("k"), created)
		case errors.Is(err, httpx.ErrLeaseLost):
			return b.want(b.lease("k"), httpx.ClaimNew)
		}
		return err
	}},
	{"an answer outlives the lease that it was made under", func(b *bench) error {
		l := b.lease("k")
		l.For = short
		if err := b.want(l, httpx.ClaimNew); err != nil {
			return err
		}
		if err := b.finish(l, created, long); errors.Is(err, httpx.ErrLeaseLost) {
			return nil // so slow that it proves nothing
		} else if err != nil {
			return err
		}
		time.Sleep(2 * short)
		return b.wantAnswer(b.lease("k"), created)
	}},
	{"an answer whose time is over is forgotten", func(b *bench) error {
		l := b.lease("k")
		return steps(
			func() error { return b.want(l, httpx.ClaimNew) },
			func() error { return b.finish(l, created, short) },
			func() error {
				next, err := b.comes(b.lease("k"), httpx.ClaimNew)
				if err != nil {
					return err
				}
				return b.finish(next, other, long)
			},
			func() error { return b.wantAnswer(b.lease("k"), other) },
			func() error { return b.wantLost(l, created) },
		)
	}},
}
