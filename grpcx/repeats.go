package grpcx

import (
	"context"
	"sync"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

// repeats is what the retry knows of a stream. It learns of the first answer, or of the end of a call that had none, by
// whoever comes to it first, and once.
type repeats struct {
	retry *retry.Retry

	mu      sync.Mutex // guards the fields below
	claimed bool       // it is known how the call ends, or another attempt is being made
	rest    seawall.Repetition
}

// claim takes the right to say how the call goes on. rest is nil if there was one attempt.
func (r *repeats) claim() (rest seawall.Repetition, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claimed {
		return nil, false
	}
	r.claimed = true
	return r.rest, true
}

// giveBack says that another attempt runs.
func (r *repeats) giveBack(rest seawall.Repetition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claimed, r.rest = false, rest
}

// end says that no attempt follows: err is nil for an answer. It returns the error of the call.
func (r *repeats) end(ctx context.Context, err error) error {
	rest, ok := r.claim()
	if !ok {
		return err
	}
	return r.close(ctx, rest, err)
}

// close is end for who has claimed the rest.
func (r *repeats) close(ctx context.Context, rest seawall.Repetition, err error) error {
	if rest == nil {
		if rest = r.retry.Ended(ctx, err); rest == nil {
			return err
		}
	}
	if err != nil {
		_, _ = rest.Next(ctx, err) // what it grants, End takes back
	}
	return rest.End(err)
}
