package load

import (
	"context"
	"iter"
	"time"
)

// Drive calls send for each arrival when its time after begin has come, and returns after the last one, or with the
// cause of ctx when that ends. A send that is late is not left out, and those behind it come at once: an open loop owes
// them all. send must not block; what takes time belongs into a goroutine.
func Drive(ctx context.Context, begin time.Time, arrivals iter.Seq[Request], send func(Request)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for r := range arrivals {
		if wait := r.At - time.Since(begin); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		send(r)
	}
	return nil
}
