package runner

import (
	"context"
	"sync"
	"time"

	"github.com/seawall-go/seawall/demo/internal/measure"
)

// sampler asks the arms for their status while a scene runs. It owns one goroutine.
type sampler struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (st *stage) startSampler() *sampler {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sampler{cancel: cancel}
	st.sample(0)
	s.done.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for n := 1; ; n++ {
			// Counted from the beginning, so that delays do not add up.
			timer.Reset(time.Duration(n)*measure.SampleEvery - time.Since(st.begin))
			select {
			case <-timer.C:
				st.sample(n)
			case <-ctx.Done():
				st.sample(n) // what the last requests changed
				return
			}
		}
	})
	return s
}

// stop takes a last sample and waits for the goroutine.
func (s *sampler) stop() {
	s.cancel()
	s.done.Wait()
}

// sample asks all arms. The samples bear the time at which they were due.
func (st *stage) sample(n int) {
	at := time.Duration(n) * measure.SampleEvery
	for i := range st.turns {
		a := st.turns[(n+i)%len(st.turns)]
		a.recorder.Sample(measure.Sample{At: at, Status: a.arm.Status()})
	}
	// A second can be shown when the deadlines of its last requests have passed.
	past := at - st.scene.SLO.Longest()
	if second := int(past/measure.BinWidth) - 1; past > 0 && past%measure.BinWidth < measure.SampleEvery && second >= 0 {
		st.tellSecond(second)
	}
}

func (st *stage) tellSecond(second int) {
	end := time.Duration(second+1) * measure.BinWidth
	if st.cfg.Hooks.Second == nil || end > st.scene.Length {
		return
	}
	st.mu.Lock()
	offered := 0
	if second < len(st.offered) {
		offered = st.offered[second]
	}
	st.mu.Unlock()
	arms := make([]Second, len(st.arms))
	for i, a := range st.arms {
		arms[i] = Second{a.Spec, a.recorder.Live(second, offered)}
	}
	st.teller.tell(func() { st.cfg.Hooks.Second(end, arms) })
}
