package inventory_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/inventory"
)

// seen is what one client did and saw. The store's clock in this test counts the transactions, so begin and end are
// those that had begun before the call and before its answer, and the call's own is one of those between.
type seen struct {
	what       string
	begin, end int64
	wanted     []int64
	held       inventory.Holding
	seats      inventory.SeatMap
	err        error
}

// Concurrent clients hold, release, sweep and look. Each answer must have been true at an instant between the question
// and the answer, by the log that the naive checker has approved.
func TestNoConcurrentAnswerIsImpossible(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		var transactions atomic.Int64
		now := func() int64 { return transactions.Add(1) }
		s := open(t, path, inventory.Config{Now: now, SweepEvery: inventory.NoSweep}, 1, 2, 3, 4, 5, 6)
		histories := make([][]seen, 8)
		var wg sync.WaitGroup
		for client := range histories {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(client), 1))
				for n := range 80 {
					e := seen{begin: transactions.Load()}
					name := fmt.Sprintf("c%d-%d", client, n)
					switch r.IntN(10) {
					default:
						e.what, e.wanted = "hold", pick(r)
						e.held, e.err = s.Hold(t.Context(), inventory.Request{
							Order: name, Performance: 1, Seats: e.wanted,
							For: time.Duration(10+r.IntN(60)) * time.Millisecond,
						})
						if e.err == nil && r.IntN(2) == 0 {
							histories[client] = append(histories[client], e.till(transactions.Load()))
							e = seen{what: "release", begin: transactions.Load()}
							e.held, e.err = s.Release(t.Context(), name)
						}
					case 0:
						e.what = "sweep"
						_, e.err = s.Sweep(t.Context())
					case 1, 2, 3:
						e.what = "look"
						e.seats, e.err = s.SeatMap(t.Context(), 1)
					}
					histories[client] = append(histories[client], e.till(transactions.Load()))
				}
			})
		}
		wg.Wait()
		a := mustHold(t, s)
		if len(a.Events) < 150 {
			t.Fatalf("only %d events", len(a.Events))
		}
		all := slices.Concat(histories...)
		answered := answers(a, all)
		for _, e := range all {
			if err := possible(a, answered, e); err != nil {
				t.Errorf("%+v: %v", e, err)
			}
		}
	})
}

func (e seen) till(end int64) seen {
	e.end = end
	return e
}

// pick returns one to three different seats of six.
func pick(r *rand.Rand) []int64 {
	seats := []int64{1, 2, 3, 4, 5, 6}
	r.Shuffle(len(seats), func(i, j int) { seats[i], seats[j] = seats[j], seats[i] })
	return seats[:1+r.IntN(3)]
}

// answers returns, for each transaction that an order's own call has logged, the end of that call.
func answers(a inventory.Audit, all []seen) map[int64]int64 {
	type call struct {
		order string
		kind  inventory.State
	}
	ends := map[call]int64{}
	for _, e := range all {
		switch {
		case e.err == nil && e.what == "hold":
			ends[call{e.held.Order, inventory.Held}] = e.end
		case e.err == nil && e.what == "release":
			ends[call{e.held.Order, inventory.Released}] = e.end
		}
	}
	answered := map[int64]int64{}
	for _, e := range a.Events {
		if end, ok := ends[call{e.Order, e.Kind}]; ok {
			answered[e.AtMS] = end
		}
	}
	return answered
}

// possible returns why an answer cannot be true.
func possible(a inventory.Audit, answered map[int64]int64, e seen) error {
	conflict, isConflict := errors.AsType[*inventory.TakenError](e.err)
	if e.err != nil && !isConflict {
		return e.err
	}
	switch {
	case e.what == "hold" && e.err == nil:
		for _, event := range a.Events {
			if event.Order == e.held.Order && event.Kind == inventory.Held {
				if event.AtMS <= e.begin || event.AtMS > e.end || event.ExpiresAtMS != e.held.ExpiresAtMS {
					return fmt.Errorf("but the log has %+v", event)
				}
				return nil
			}
		}
		return errors.New("but the log does not have it")
	case e.what == "hold":
		for t := e.begin + 1; t <= e.end; t++ {
			at := rowsAt(a, t, t)
			others := slices.Sorted(slices.Values(e.wanted))
			others = slices.DeleteFunc(others, func(s int64) bool { return !slices.Contains(at, s) })
			if slices.Equal(others, conflict.Seats) {
				return nil
			}
		}
		return errors.New("at no instant were these taken and the others free")
	case e.what == "look":
		var claimed []int64
		for _, c := range e.seats.Claims {
			claimed = append(claimed, c.Seat)
		}
		// The map's time is read before its rows, so it may hold what was committed since. And the last transaction
		// before that time may not have been committed, unless its caller had its answer by then.
		asOf := e.seats.AsOfMS
		first := asOf
		for _, event := range a.Events {
			if event.AtMS < asOf {
				first = event.AtMS
			}
		}
		if end, ok := answered[first]; ok && end < asOf {
			first = asOf
		}
		for t := first; t <= e.end+1; t++ {
			if slices.Equal(rowsAt(a, t, asOf), claimed) {
				return nil
			}
		}
		return errors.New("at no instant were these taken")
	case e.what == "release" && e.held.State != inventory.Released && e.held.State != inventory.Expired:
		return errors.New("but it was the order's own")
	}
	return nil
}

// rowsAt returns the seats with a claim in the table before transaction t, without those that had expired at asOf.
func rowsAt(a inventory.Audit, t, asOf int64) []int64 {
	until := map[int64]int64{}
	for _, e := range a.Events {
		if e.AtMS >= t {
			break
		}
		delete(until, e.Seat)
		if e.Kind == inventory.Held {
			until[e.Seat] = e.ExpiresAtMS
		}
	}
	var seats []int64
	for seat, end := range until {
		if end > asOf {
			seats = append(seats, seat)
		}
	}
	slices.Sort(seats)
	return seats
}
