package runner

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
)

// errOver is why a request ends that has no answer long after the scene.
var errOver = errors.New("the scene is over")

func (st *stage) arrivals(house load.House) iter.Seq[load.Request] {
	return load.Config{
		Seed: st.cfg.Seed, Scene: st.scene.Name, Rate: st.scene.Rate, Length: st.scene.Length, Mix: st.scene.Mix,
		House: house,
	}.Arrivals()
}

// send gives one request to all arms at once.
func (st *stage) send(ctx context.Context, r load.Request) {
	second := int(r.At / measure.BinWidth)
	st.mu.Lock()
	for len(st.offered) <= second {
		st.offered = append(st.offered, 0)
	}
	st.offered[second]++
	st.mu.Unlock()
	for i := range st.turns {
		a := st.turns[(int(r.N%uint64(len(st.turns)))+i)%len(st.turns)]
		a.counts.Offered()
		st.answering.Go(func() {
			sent := time.Since(st.begin)
			answer := a.arm.Do(ctx, r)
			answer.Request, answer.Sent, answer.Done = r, sent, time.Since(st.begin)
			a.recorder.Answer(answer)
			a.counts.Ended(st.scene.SLO.Grade(answer), answer.Latency())
		})
	}
}

// drain waits for the answers that are still to come, for a while, and then for the goroutines of all requests.
func (st *stage) drain(ctx context.Context, hangUp context.CancelCauseFunc) {
	limit := st.cfg.Drain
	if limit == 0 {
		limit = defaultDrain
	}
	over := time.AfterFunc(limit, func() { hangUp(errOver) })
	defer over.Stop()
	defer context.AfterFunc(ctx, func() { hangUp(context.Cause(ctx)) })()
	st.answering.Wait()
}

// sleep returns the cause of ctx if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
