package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

// RunStuck runs the tests of a store whose database does not answer, which [Run] cannot bring about: each of the three
// calls returns, with an error, when its context ends. open returns such a store for one of them: one behind a lock that is
// held, or at the end of a connection that nobody reads. What is to be closed goes into t.Cleanup.
func RunStuck(t *testing.T, open func(t *testing.T) httpx.IdempotencyStore) {
	t.Helper()
	for _, c := range stuck {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.check(newBench(t.Context(), open(t))); err != nil {
				t.Error(err)
			}
		})
	}
}

// stuck are the cases of a store that is.
var stuck = []testCase{
	{"a begin that waits ends with its context", func(b *bench) error {
		return b.gives(func(ctx context.Context) error {
			_, err := b.store.Begin(ctx, b.lease("k"))
			return err
		})
	}},
	{"a finish that waits ends with its context", func(b *bench) error {
		return b.gives(func(ctx context.Context) error { return b.store.Finish(ctx, b.lease("k"), created, long) })
	}},
	{"a release that waits ends with its context", func(b *bench) error {
		return b.gives(func(ctx context.Context) error { return b.store.Release(ctx, b.lease("k")) })
	}},
}

// gives makes a call under a context that passes its deadline, and under one that is canceled, and wants it to give up then.
func (b *bench) gives(call func(context.Context) error) error {
	for _, deadline := range []bool{true, false} {
		if err := b.givesUp(call, deadline); err != nil {
			return fmt.Errorf("with a deadline: %t: %w", deadline, err)
		}
	}
	return nil
}

func (b *bench) givesUp(call func(context.Context) error, deadline bool) error {
	ctx, cancel := b.run()
	defer cancel()
	began := time.Now()
	if deadline {
		ctx, cancel = context.WithTimeout(ctx, short)
	} else {
		ctx, cancel = context.WithCancel(ctx)
		time.AfterFunc(short, cancel)
	}
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- call(ctx) }() // ends when the store does
	giveUp := time.NewTimer(short + patient)
	defer giveUp.Stop()
	select {
	case err := <-ended:
		switch {
		case time.Since(began) < short:
			return fmt.Errorf("it returns %v before its context has ended: the store is not stuck", err) //nolint:errorlint // a text for people
		case err == nil:
			return errors.New("it went through")
		}
		return nil
	case <-giveUp.C:
		return fmt.Errorf("it goes on %v after its context has ended", patient)
	}
}
