package bulkhead_test

import (
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// lifo has a queue that is a standing one when the oldest has waited for 5 ms during 100 ms.
var lifo = bulkhead.Config{
	Limit: 1, Queue: bulkhead.Queue{Limit: 100, Order: bulkhead.AdaptiveLIFO, MaxWait: time.Minute},
}

// standing makes a bulkhead whose queue has become a standing one, since its slot comes free every 4 ms and somebody
// comes every 2 ms, and returns those who wait, the oldest first, and the permit of the one who is in.
func standing(t *testing.T, cfg bulkhead.Config) (b *bulkhead.Bulkhead, waiting []*attempt, holder *seawall.Permit) {
	t.Helper()
	b = newBulkhead(cfg)
	holder = acquire(t, b)
	for i := range 120 {
		waiting = append(waiting, start(t.Context(), b))
		time.Sleep(2 * time.Millisecond)
		if i%2 == 1 {
			holder.Done(nil)
			synctest.Wait()
			for i, a := range waiting {
				if a.ended && a.err == nil {
					holder = a.permit
					waiting = append(waiting[:i:i], waiting[i+1:]...)
					break
				}
			}
		}
		waiting = stillThere(waiting)
	}
	return b, waiting, holder
}

func stillThere(waiting []*attempt) (those []*attempt) {
	for _, a := range waiting {
		if !a.ended {
			those = append(those, a)
		}
	}
	return those
}

// drain ends all that waits.
func drain(t *testing.T, b *bulkhead.Bulkhead, waiting []*attempt, holder *seawall.Permit) {
	t.Helper()
	for holder != nil {
		holder.Done(nil)
		synctest.Wait()
		holder = nil
		for i, a := range waiting {
			if a.ended && a.err == nil {
				holder = a.permit
				waiting = append(waiting[:i:i], waiting[i+1:]...)
				break
			}
		}
	}
	wantIdle(t, b)
}

func TestAdaptiveLIFOServesInTheOrderOfArrivalWhileTheQueueIsABuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(lifo)
		holder := acquire(t, b)
		var waiting []*attempt
		for range 10 {
			waiting = append(waiting, start(t.Context(), b))
		}
		for _, a := range waiting { // a burst that is served in 90 ms
			time.Sleep(9 * time.Millisecond)
			holder.Done(nil)
			wantAdmitted(t, a)
			holder = a.permit
		}
		holder.Done(nil)
		wantIdle(t, b)
		if s := b.Stats(); s.Rejected.Total() != 0 {
			t.Errorf("rejections are %+v, want none", s.Rejected)
		}
	})
}

func TestAdaptiveLIFOServesTheNewestFirstAndDropsTheOldInAStandingQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, waiting, holder := standing(t, lifo)
		if s := b.Stats(); s.Rejected.QueueTimeout == 0 || s.Rejected.Total() != s.Rejected.QueueTimeout {
			t.Errorf("rejections are %+v, want the old ones, for their age", s.Rejected)
		}
		newest := start(t.Context(), b)
		holder.Done(nil)
		wantAdmitted(t, newest)
		if n := len(stillThere(waiting)); n > 3 {
			t.Errorf("%d wait behind the newest, want those of the last 5 ms", n)
		}
		for _, a := range stillThere(waiting) {
			if a.ended {
				t.Error("an older one was served with it")
			}
		}
		drain(t, b, waiting, newest.permit)
	})
}

// The slot that comes free is not lost because the last one who waits for it has grown old.
func TestAdaptiveLIFONeverDropsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, waiting, holder := standing(t, lifo)
		last := start(t.Context(), b)
		time.Sleep(500 * time.Millisecond)
		holder.Done(nil)
		wantAdmitted(t, last)
		drain(t, b, waiting, last.permit)
	})
}

// It outlives an empty queue, which is soon there where the old are dropped, and ends when nobody has grown old for an
// interval.
func TestAdaptiveLIFOEndsWhenNobodyGrowsOldAnyMore(t *testing.T) {
	for pause, newerFirst := range map[time.Duration]bool{90 * time.Millisecond: true, 110 * time.Millisecond: false} {
		synctest.Test(t, func(t *testing.T) {
			b, waiting, holder := standing(t, lifo)
			drain(t, b, waiting, holder)
			time.Sleep(pause)
			holder = acquire(t, b)
			older, newer := start(t.Context(), b), start(t.Context(), b)
			holder.Done(nil)
			synctest.Wait()
			if newer.ended != newerFirst || older.ended == newerFirst {
				t.Errorf("%v after the overload: the newer one got in first: %v, want %v", pause, newer.ended, newerFirst)
			}
			for _, a := range []*attempt{older, newer, older} {
				if a.ended {
					a.permit.Done(nil)
					synctest.Wait()
				}
			}
			wantIdle(t, b)
		})
	}
}

// FIFO stays what it is in overload.
func TestFIFODropsNobodyForItsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := lifo
		cfg.Queue.Order = bulkhead.FIFO
		b, waiting, holder := standing(t, cfg)
		if s := b.Stats(); s.Rejected.Total() != 0 {
			t.Errorf("rejections are %+v, want none", s.Rejected)
		}
		holder.Done(nil)
		wantAdmitted(t, waiting[0])
		drain(t, b, waiting[1:], waiting[0].permit)
	})
}

// A level whose calls do not wait is not judged by those of a level whose calls do.
func TestAdaptiveLIFODropsNoCallOfALevelThatIsServedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := lifo
		cfg.Limit = 4
		b := newBulkhead(cfg)
		var wg sync.WaitGroup
		for p, load := range map[seawall.Priority]float64{seawall.Critical: 50, seawall.Sheddable: 200} {
			wg.Go(func() {
				ctx := seawall.WithPriority(t.Context(), p)
				poisson(rand.New(rand.NewPCG(5, uint64(p))), steadily(load), 10*time.Second, func(int) {
					wg.Go(func() { _ = b.Do(ctx, serve) }) // 100 a second can be served
				})
			})
		}
		wg.Wait()
		s := b.Stats()
		if c := s.Levels.Critical; c.Rejected > c.Admitted/20 {
			t.Errorf("critical: %+v, want hardly any rejected", c)
		}
		if l := s.Levels.Sheddable; l.Rejected < l.Admitted {
			t.Errorf("sheddable: %+v, want most rejected", l)
		}
		wantIdle(t, b)
	})
}

// What AdaptiveLIFO is for: in overload by half, calls that are served have not waited long, and no fewer are served.
func TestAdaptiveLIFOKeepsWaitsShortInOverload(t *testing.T) {
	waits := map[bulkhead.Order]time.Duration{}
	served := map[bulkhead.Order]int64{}
	for _, order := range []bulkhead.Order{bulkhead.FIFO, bulkhead.AdaptiveLIFO} {
		synctest.Test(t, func(t *testing.T) {
			b := newBulkhead(bulkhead.Config{Limit: servers, Queue: bulkhead.Queue{Limit: 500, Order: order}})
			var mu sync.Mutex
			var total time.Duration
			var wg sync.WaitGroup
			poisson(rand.New(rand.NewPCG(5, 5)), steadily(1.5*capacity), 10*time.Second, func(int) {
				wg.Go(func() {
					arrived := time.Now()
					permit, err := b.Acquire(t.Context())
					if err != nil {
						return
					}
					mu.Lock()
					total += time.Since(arrived)
					mu.Unlock()
					_ = serve(t.Context())
					permit.Done(nil)
				})
			})
			served[order] = b.Stats().Admitted
			wg.Wait()
			waits[order] = total / time.Duration(b.Stats().Admitted)
			wantIdle(t, b)
		})
	}
	t.Logf("%v, %v", waits, served)
	if got := waits[bulkhead.AdaptiveLIFO]; got > 10*time.Millisecond || waits[bulkhead.FIFO] < 20*got {
		t.Errorf("the mean waits are %v, want a few milliseconds, and a twentieth of those in order", waits)
	}
	if 100*served[bulkhead.AdaptiveLIFO] < 96*served[bulkhead.FIFO] {
		t.Errorf("%v calls served, want hardly fewer", served)
	}
}

func TestOrderAndSheddingAreText(t *testing.T) {
	type both struct {
		Order    bulkhead.Order
		Shedding bulkhead.Shedding
	}
	for text, want := range map[string]both{
		`{"Order":"","Shedding":""}`:                     {},
		`{"Order":"fifo","Shedding":"by_arrival"}`:       {bulkhead.FIFO, bulkhead.ByArrival},
		`{"Order":"adaptive_lifo","Shedding":"by_user"}`: {bulkhead.AdaptiveLIFO, bulkhead.ByUser},
	} {
		var got both
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
		if back, err := json.Marshal(want); err != nil || string(back) != text {
			t.Errorf("%+v: got %s, %v", want, back, err)
		}
	}
	for _, text := range []string{`{"Order":"lifo"}`, `{"Order":1}`, `{"Shedding":"random"}`, `{"Shedding":"BY_USER"}`} {
		var got both
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %+v, want an error", text, got)
		}
	}
	for _, v := range []both{{Order: 3}, {Shedding: 3}} {
		if _, err := json.Marshal(v); err == nil {
			t.Errorf("%+v became text", v)
		}
	}
	if s := bulkhead.Order(7).String() + bulkhead.Shedding(7).String(); s != "Order(7)Shedding(7)" {
		t.Errorf("got %s", s)
	}
}
