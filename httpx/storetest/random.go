package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/shrink"
)

// random runs lists of calls in any order beside a model of a few variables, with leases that do not run out.
var random = testCase{"any list of calls does what the model does", func(b *bench) error {
	const lists, length = 8, 60
	for range lists {
		seed := dice.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		list := make([]call, length)
		for i := range list {
			list[i] = call{r.IntN(3), r.IntN(2), r.IntN(2), r.IntN(3)}
		}
		run := 0
		fails := func(list []call) bool {
			run++
			return b.play(list, fmt.Sprintf("%x-%d", seed, run)) != nil
		}
		if fails(list) {
			list = shrink.List(list, 1, fails)
			return fmt.Errorf("seed %d, shortest list %+v: %w", seed, list, b.play(list, "again"))
		}
	}
	return nil
}}

// call is one call of the store: of which method, for which of two entries, with which fingerprint, by which owner.
type call struct{ verb, entry, fingerprint, owner int }

// kept is what the model knows of an entry.
type kept struct {
	running, done      bool
	fingerprint, owner int
}

func (b *bench) play(list []call, scope string) error {
	var model [2]kept
	for i, c := range list {
		l := b.lease(fmt.Sprint(scope, "-", c.entry))
		l.Token = fmt.Sprintf("%032x", c.owner)
		a := created
		a.Status += c.owner
		m := &model[c.entry]
		owns := m.running && m.owner == c.owner
		if owns { // a lease is the same at its end
			l.Fingerprint[0] = byte(m.fingerprint)
		}
		var err error
		switch c.verb {
		case 0:
			l.Fingerprint[0] = byte(c.fingerprint)
			err = b.wantOf(m, l, c)
			if !m.running && !m.done {
				*m = kept{running: true, fingerprint: c.fingerprint, owner: c.owner}
			}
		case 1:
			err = b.finish(l, a, long)
			switch {
			case owns && err == nil:
				m.running, m.done = false, true
			case !owns && errors.Is(err, httpx.ErrLeaseLost):
				err = nil
			default:
				err = fmt.Errorf("finish returned %v, the owner: %v", err, owns) //nolint:errorlint // a text for people
			}
		case 2:
			if err = b.release(l); owns {
				*m = kept{}
			}
		}
		if err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
	}
	return nil
}

// wantOf begins an entry, and wants to find what the model has.
func (b *bench) wantOf(m *kept, l httpx.Lease, c call) error {
	switch {
	case !m.running && !m.done:
		return b.want(l, httpx.ClaimNew)
	case m.fingerprint != c.fingerprint:
		return b.want(l, httpx.ClaimConflict)
	case m.running:
		return b.want(l, httpx.ClaimRunning)
	}
	a := created
	a.Status += m.owner
	return b.wantAnswer(l, a)
}
