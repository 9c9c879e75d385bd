package inventory_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/inventory"
)

func TestOneSeatIsNotHeldByTwoOrders(t *testing.T) {
	race := func(t *testing.T, stores ...*inventory.Store) {
		errs := make([]error, 100)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				<-start
				errs[i] = second(stores[i%len(stores)].Hold(t.Context(), order(fmt.Sprint("order-", i), 7)))
			})
		}
		close(start)
		wg.Wait()
		won := 0
		for _, err := range errs {
			taken, lost := errors.AsType[*inventory.TakenError](err)
			switch {
			case err == nil:
				won++
			case !lost || !slices.Equal(taken.Seats, []int64{7}):
				t.Errorf("error %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d of 100 orders hold the seat", won)
		}
		m, err := stores[0].SeatMap(t.Context(), 1)
		if err != nil || len(m.Claims) != 1 {
			t.Errorf("map %+v, error %v", m, err)
		}
		mustHold(t, stores[0])
	}
	each(t, func(t *testing.T, path string) { race(t, open(t, path, inventory.Config{}, 7)) })
	t.Run("two processes", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "inventory.db")
		race(t, open(t, path, inventory.Config{}, 7), open(t, path, inventory.Config{}, 7))
	})
}

func TestAHoldDoesNotTakeSomeOfItsSeats(t *testing.T) {
	s, _ := byHand(t, 1, 2, 3, 4, 5)
	if _, err := s.Hold(t.Context(), order("a", 4, 2)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Hold(t.Context(), order("b", 5, 4, 3, 2, 1))
	taken, ok := errors.AsType[*inventory.TakenError](err)
	if !ok || !slices.Equal(taken.Seats, []int64{2, 4}) || err.Error() != "inventory: seats [2 4] are taken" {
		t.Errorf("error %v, want all seats that are taken", err)
	}
	if _, err := s.Hold(t.Context(), order("b", 1, 3, 5)); err != nil {
		t.Errorf("the order may try again with others: %v", err)
	}
	mustHold(t, s)
}

func TestARepeatedOrderDoesNotGetAnotherAnswer(t *testing.T) {
	s, c := byHand(t, 1, 2, 3)
	seats := []int64{2, 1}
	first, err := s.Hold(t.Context(), order("a", seats...))
	if err != nil || first.Repeated || first.ExpiresAtMS != 1_010_000 || !slices.Equal(first.Seats, []int64{1, 2}) {
		t.Fatalf("%+v, error %v", first, err)
	}
	if !slices.Equal(seats, []int64{2, 1}) { // T19
		t.Errorf("the caller's seats are now %v", seats)
	}
	c.ms.Add(9_999)
	again, err := s.Hold(t.Context(), order("a", 1, 2))
	first.Repeated = true
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("%+v, error %v, want %+v: in particular no more time", again, err, first)
	}
	for name, r := range map[string]inventory.Request{
		"fewer seats":         order("a", 1),
		"other seats":         order("a", 1, 3),
		"more seats":          order("a", 1, 2, 3),
		"another performance": {Order: "a", Performance: 2, Seats: []int64{1, 2}},
	} {
		if _, err := s.Hold(t.Context(), r); !errors.Is(err, inventory.ErrMismatch) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	c.ms.Add(1)
	if _, err := s.Hold(t.Context(), order("a", 1, 2)); !errors.Is(err, inventory.ErrEnded) {
		t.Errorf("after the end: error %v", err)
	}
	if _, err := s.Hold(t.Context(), order("a", 1)); !errors.Is(err, inventory.ErrMismatch) {
		t.Errorf("other seats after the end: error %v", err)
	}
	mustHold(t, s)
}

// I5, to the millisecond: the seat is the order's until its expiry, and anybody's from then on.
func TestAnExpiredHoldIsNeitherKeptNorTakenEarly(t *testing.T) {
	s, c := byHand(t, 1, 2)
	asked := inventory.Request{Order: "a", Performance: 1, Seats: []int64{1, 2}, For: time.Second}
	if _, err := s.Hold(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	c.ms.Add(999)
	if err := second(s.Hold(t.Context(), order("b", 1))); err == nil {
		t.Error("taken a millisecond early")
	}
	if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept %d seats a millisecond early, error %v", n, err)
	}
	if h, err := s.Holding(t.Context(), "a"); err != nil || h.State != inventory.Held {
		t.Errorf("%+v, error %v", h, err)
	}
	c.ms.Add(1)
	h, err := s.Holding(t.Context(), "a")
	if err != nil || h.State != inventory.Expired || !slices.Equal(h.Seats, []int64{1, 2}) {
		t.Errorf("%+v, error %v", h, err)
	}
	if m, err := s.SeatMap(t.Context(), 1); err != nil || len(m.Claims) != 0 || m.AsOfMS != 1_001_000 {
		t.Errorf("%+v, error %v", m, err)
	}
	if _, err := s.Hold(t.Context(), order("b", 1)); err != nil {
		t.Errorf("not free at its expiry: %v", err)
	}
	if n, err := s.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("swept %d seats, error %v, want the one that nobody took over", n, err)
	}
	a := mustHold(t, s)
	var told []inventory.Event
	for _, e := range a.Events {
		if e.Order == "a" && e.Kind != inventory.Held {
			told = append(told, inventory.Event{Kind: e.Kind, Seat: e.Seat, AtMS: e.AtMS})
		}
	}
	want := []inventory.Event{{Kind: "expired", Seat: 1, AtMS: 1_001_000}, {Kind: "expired", Seat: 2, AtMS: 1_001_000}}
	if !slices.Equal(told, want) {
		t.Errorf("ends %+v, want %+v", told, want)
	}
}

// A takeover that is rolled back must not leave the log of an end that did not happen, nor lose the one to come.
func TestAFailedTakeoverDoesNotEndAnything(t *testing.T) {
	s, c := byHand(t, 1, 2)
	for _, r := range []inventory.Request{
		{Order: "a", Performance: 1, Seats: []int64{1}, For: time.Second},
		{Order: "b", Performance: 1, Seats: []int64{2}, For: time.Hour},
	} {
		if _, err := s.Hold(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	c.ms.Add(1500)
	if err := second(s.Hold(t.Context(), order("c", 1, 2))); err == nil {
		t.Fatal("held a taken seat")
	}
	if a := mustHold(t, s); len(a.Events) != 2 || len(a.Claims) != 2 {
		t.Errorf("%+v", a)
	}
	if n, err := s.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("swept %d, error %v", n, err)
	}
	if a := mustHold(t, s); len(a.Events) != 3 || len(a.Claims) != 1 {
		t.Errorf("%+v", a)
	}
}

func TestAReleasedOrderDoesNotHoldAgain(t *testing.T) {
	s, c := byHand(t, 1, 2)
	if _, err := s.Release(t.Context(), "a"); !errors.Is(err, inventory.ErrNotFound) {
		t.Errorf("release of an unknown order: %v", err)
	}
	if _, err := s.Hold(t.Context(), order("a", 1, 2)); err != nil {
		t.Fatal(err)
	}
	c.ms.Add(1)
	for range 2 { // the second changes nothing
		h, err := s.Release(t.Context(), "a")
		if err != nil || h.State != inventory.Released || !slices.Equal(h.Seats, []int64{1, 2}) ||
			h.ExpiresAtMS != 1_010_000 {
			t.Errorf("%+v, error %v", h, err)
		}
	}
	if _, err := s.Hold(t.Context(), order("a", 1, 2)); !errors.Is(err, inventory.ErrEnded) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Hold(t.Context(), order("b", 1, 2)); err != nil {
		t.Errorf("the seats are not free: %v", err)
	}
	if a := mustHold(t, s); len(a.Events) != 6 {
		t.Errorf("%+v", a.Events)
	}
}

func TestAnExpiredHoldIsNotReleased(t *testing.T) {
	s, c := byHand(t, 1)
	if _, err := s.Hold(t.Context(), order("a", 1)); err != nil {
		t.Fatal(err)
	}
	c.ms.Add(10_000)
	if h, err := s.Release(t.Context(), "a"); err != nil || h.State != inventory.Expired {
		t.Errorf("%+v, error %v", h, err)
	}
	if a := mustHold(t, s); len(a.Events) != 1 {
		t.Errorf("%+v", a.Events)
	}
}

// The claim has left the expiring state: neither the sweeper nor the next order may have it.
func TestAPayingOrSoldSeatIsNotTaken(t *testing.T) {
	for _, state := range []inventory.State{inventory.Paying, inventory.Sold} {
		s, c := byHand(t, 1)
		if _, err := s.Hold(t.Context(), order("a", 1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Exec(t.Context(), `UPDATE seat_claim SET state = $1, expires_at = NULL`, string(state)); err != nil {
			t.Fatal(err)
		}
		c.ms.Add(1_000_000)
		if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("%s: swept %d, error %v", state, n, err)
		}
		if err := second(s.Hold(t.Context(), order("b", 1))); err == nil {
			t.Errorf("%s: taken by another order", state)
		}
		m, err := s.SeatMap(t.Context(), 1)
		if err != nil || !slices.Equal(m.Claims, []inventory.Claim{{Seat: 1, State: state}}) {
			t.Errorf("%s: %+v, error %v", state, m, err)
		}
		if h, err := s.Hold(t.Context(), order("a", 1)); err != nil || h.State != state || !h.Repeated {
			t.Errorf("%s, repeated: %+v, error %v", state, h, err)
		}
		want := map[inventory.State]inventory.State{inventory.Paying: inventory.Released, inventory.Sold: inventory.Sold}[state]
		if h, err := s.Release(t.Context(), "a"); err != nil || h.State != want {
			t.Errorf("%s: released %+v, error %v, want %s", state, h, err, want)
		}
	}
}

func TestASeatThatIsNotOnSaleIsNotHeld(t *testing.T) {
	s, _ := byHand(t, 1, 2)
	for _, r := range []inventory.Request{order("a", 1, 3), {Order: "a", Performance: 2, Seats: []int64{1}}} {
		if _, err := s.Hold(t.Context(), r); !errors.Is(err, inventory.ErrNotForSale) {
			t.Errorf("%+v: error %v", r, err)
		}
	}
	if _, err := s.Hold(t.Context(), order("a", 1, 2)); err != nil {
		t.Errorf("a refused request left something: %v", err)
	}
}

func TestAnAnnouncementThatComesTwiceDoesNotAddSeats(t *testing.T) {
	s, _ := byHand(t, 1, 2)
	for _, seats := range [][]int64{{1, 2}, {2, 3}, {3, 3}, {}, nil} {
		if err := s.PutOnSale(t.Context(), 1, seats); err != nil {
			t.Errorf("%v: %v", seats, err)
		}
	}
	if a := mustHold(t, s); a.Capacity[1] != 3 || len(a.Capacity) != 1 {
		t.Errorf("capacity %v", a.Capacity)
	}
	for _, row := range []struct {
		performance int64
		seats       []int64
	}{{0, []int64{1}}, {1, []int64{4, 0}}, {1, []int64{4, -1}}} {
		if err := s.PutOnSale(t.Context(), row.performance, row.seats); !errors.Is(err, inventory.ErrInvalid) {
			t.Errorf("%+v: error %v", row, err)
		}
	}
	if a := mustHold(t, s); a.Capacity[1] != 3 {
		t.Errorf("capacity %v", a.Capacity)
	}
}

func TestAnInvalidRequestDoesNotReachTheDatabase(t *testing.T) {
	s, _ := byHand(t, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	ok := inventory.Request{Order: "Az09._:-", Performance: 1, Seats: []int64{1}, For: time.Second}
	if _, err := s.Hold(t.Context(), ok); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(r *inventory.Request){
		"no order":         func(r *inventory.Request) { r.Order = "" },
		"long order":       func(r *inventory.Request) { r.Order = strings.Repeat("a", 65) },
		"order with slash": func(r *inventory.Request) { r.Order = "a/b" },
		"order with space": func(r *inventory.Request) { r.Order = "a b" },
		"order with é":     func(r *inventory.Request) { r.Order = "é" },
		"no performance":   func(r *inventory.Request) { r.Performance = 0 },
		"no seats":         func(r *inventory.Request) { r.Seats = nil },
		"nine seats":       func(r *inventory.Request) { r.Seats = []int64{1, 2, 3, 4, 5, 6, 7, 8, 9} },
		"a seat twice":     func(r *inventory.Request) { r.Seats = []int64{2, 1, 2} },
		"the seat 0":       func(r *inventory.Request) { r.Seats = []int64{1, 0} },
		"too short":        func(r *inventory.Request) { r.For = 9 * time.Millisecond },
		"negative":         func(r *inventory.Request) { r.For = -1 },
		"too long":         func(r *inventory.Request) { r.For = 25 * time.Hour },
	} {
		r := ok
		change(&r)
		if _, err := s.Hold(t.Context(), r); !errors.Is(err, inventory.ErrInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for _, seats := range [][]int64{{1}, {1, 2, 3, 4, 5, 6, 7, 8}} {
		_, err := s.Hold(t.Context(), order(strings.Repeat("a", 64), seats...))
		if err == nil || errors.Is(err, inventory.ErrInvalid) {
			t.Errorf("a valid request on a closed database: error %v", err)
		}
	}
}

func TestAnErrorOfTheDatabaseIsNotHidden(t *testing.T) {
	s, _ := byHand(t, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // T40
		t.Errorf("the second Close: %v", err)
	}
	for what, err := range map[string]error{
		"hold":     second(s.Hold(t.Context(), order("a", 1))),
		"holding":  second(s.Holding(t.Context(), "a")),
		"release":  second(s.Release(t.Context(), "a")),
		"seat map": second(s.SeatMap(t.Context(), 1)),
		"sweep":    second(s.Sweep(t.Context())),
		"audit":    second(s.Audit(t.Context())),
		"on sale":  s.PutOnSale(t.Context(), 1, []int64{1}),
		"open":     second(inventory.Open(t.Context(), filepath.Join(t.TempDir(), "no", "such.db"), inventory.Config{})),
	} {
		if err == nil || errors.Is(err, inventory.ErrNotFound) || !strings.HasPrefix(err.Error(), "inventory: ") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func TestAnUnknownPerformanceIsNotAnEmptyOne(t *testing.T) {
	s, _ := byHand(t, 1)
	if _, err := s.SeatMap(t.Context(), 2); !errors.Is(err, inventory.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if m, err := s.SeatMap(t.Context(), 1); err != nil || m.Claims == nil || len(m.Claims) != 0 {
		t.Errorf("%+v, error %v", m, err)
	}
	if _, err := s.Holding(t.Context(), "a"); !errors.Is(err, inventory.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

// A restart: what is in the file is what counts.
func TestAHoldIsNotLostWhenItsStoreIsReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inventory.db")
	s := open(t, path, inventory.Config{}, 1, 2)
	first, err := s.Hold(t.Context(), order("a", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, inventory.Config{}, 1, 2)
	again, err := s.Hold(t.Context(), order("a", 1))
	if err != nil || !again.Repeated || again.ExpiresAtMS != first.ExpiresAtMS {
		t.Errorf("%+v, error %v, want %+v", again, err, first)
	}
	if err := second(s.Hold(t.Context(), order("b", 1))); err == nil {
		t.Error("held twice")
	}
}
