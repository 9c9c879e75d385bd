package inventory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/inventory"
)

// op is one step of a random history: four small numbers.
type op struct{ verb, order, seats, time byte }

// player runs one history through the inventory and the model at the same time. Each history has a performance of its
// own, so that many share a database.
type player struct {
	store       *inventory.Store
	clock       *clock
	performance int64
	model       model
}

func (p *player) name(o op) string { return fmt.Sprintf("p%d-o%d", p.performance, o.order%6) }

// wants reads the seats from the bits of a number: 1 to 5 are on sale, 6 is not.
func (p *player) wants(o op) (seats []int64) {
	for seat := range int64(6) {
		if o.seats>>seat&1 == 1 {
			seats = append(seats, seat+1)
		}
	}
	if len(seats) == 0 || o.seats>>6 != 0 { // rarely the one that is not on sale
		seats = slices.DeleteFunc(seats, func(s int64) bool { return s == 6 })
	}
	if len(seats) == 0 {
		seats = []int64{1}
	}
	if o.time&1 == 1 {
		slices.Reverse(seats)
	}
	return seats
}

// step does one thing on both sides and returns the first difference.
func (p *player) step(ctx context.Context, o op) error {
	now := p.clock.now()
	name := p.name(o)
	switch o.verb % 10 {
	case 0, 1, 2:
		lasts := time.Duration(10+int(o.time)) * time.Millisecond
		r := inventory.Request{Order: name, Performance: p.performance, Seats: p.wants(o), For: lasts}
		return p.same(o, func() (inventory.Holding, error) { return p.store.Hold(ctx, r) },
			func() (inventory.Holding, error) { return p.model.hold(r, now) })
	case 3:
		return p.same(o, func() (inventory.Holding, error) { return p.store.Release(ctx, name) },
			func() (inventory.Holding, error) { return p.model.release(name, now) })
	case 4:
		return p.same(o, func() (inventory.Holding, error) { return p.store.Holding(ctx, name) },
			func() (inventory.Holding, error) { return p.model.holding(name, now) })
	case 5:
		m, err := p.store.SeatMap(ctx, p.performance)
		if err != nil || m.AsOfMS != now || m.Performance != p.performance {
			return fmt.Errorf("%+v: %+v, error %w", o, m, err)
		}
		return sameMap(m, p.model.claims(now))
	case 6:
		_, err := p.store.Sweep(ctx)
		return err
	case 7:
		state := []inventory.State{inventory.Paying, inventory.Sold}[o.seats%2]
		p.model.advance(name, state, now)
		return p.store.Exec(ctx, `UPDATE seat_claim SET state = $1, expires_at = NULL
			WHERE order_id = $2 AND (state = 'paying' OR state = 'held' AND expires_at > $3)`, string(state), name, now)
	default:
		p.clock.ms.Add(int64(o.time))
		return nil
	}
}

func (p *player) same(o op, real, naive func() (inventory.Holding, error)) error {
	got, err := real()
	want, wantErr := naive()
	if wantErr != nil {
		if !sameError(err, wantErr) {
			return fmt.Errorf("%+v: %+v, error %w, want error %w", o, got, err, wantErr)
		}
		return nil
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%+v: %+v, error %w, want %+v", o, got, err, want)
	}
	return nil
}

// players makes a player for each history, on one inventory.
func players(t testing.TB) func(t testing.TB) *player {
	s, c := byHand(t)
	performance := int64(0)
	return func(t testing.TB) *player {
		performance++
		if err := s.PutOnSale(t.Context(), performance, []int64{1, 2, 3, 4, 5}); err != nil {
			t.Fatal(err)
		}
		return &player{
			store: s, clock: c, performance: performance,
			model: model{sellable: []int64{1, 2, 3, 4, 5}, orders: map[string]inventory.Holding{}},
		}
	}
}

// play returns the first difference of a history, and on which step.
func (p *player) play(ctx context.Context, ops []op) error {
	for i, o := range ops {
		if err := p.step(ctx, o); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	m, err := p.store.SeatMap(ctx, p.performance)
	if err != nil {
		return err
	}
	return sameMap(m, p.model.claims(p.clock.now()))
}

func TestNoAnswerDiffersFromTheModel(t *testing.T) {
	next := players(t)
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0))
		ops := make([]op, 40)
		for i := range ops {
			ops[i] = op{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(60))}
		}
		err := next(t).play(t.Context(), ops)
		if err == nil {
			continue
		}
		for i := 0; i < len(ops); { // as few steps as show it
			fewer := slices.Delete(slices.Clone(ops), i, i+1)
			if e := next(t).play(t.Context(), fewer); e != nil {
				ops, err = fewer, e
			} else {
				i++
			}
		}
		t.Fatalf("seed %d: %v\nsteps %+v", seed, err, ops)
	}
}

func FuzzHolds(f *testing.F) {
	f.Add([]byte{0, 1, 3, 20, 0, 2, 2, 20, 5, 0, 0, 0, 8, 0, 0, 30, 0, 2, 2, 20, 6, 0, 0, 0, 4, 1, 0, 0})
	f.Add([]byte{0, 1, 3, 20, 3, 1, 0, 0, 0, 1, 3, 20, 0, 1, 7, 20, 4, 1, 0, 0})
	f.Add([]byte{0, 1, 3, 20, 7, 1, 0, 0, 8, 0, 0, 255, 6, 0, 0, 0, 3, 1, 0, 0, 0, 2, 3, 9})
	f.Add([]byte{0, 1, 1, 10, 0, 2, 2, 200, 8, 0, 0, 30, 0, 3, 3, 20, 6, 0, 0, 0, 0, 4, 1, 1, 5, 0, 0, 0})
	next := players(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var ops []op
		for i := 0; i+3 < len(data) && len(ops) < 100; i += 4 {
			ops = append(ops, op{data[i], data[i+1], data[i+2], data[i+3]})
		}
		if err := next(t).play(t.Context(), ops); err != nil {
			t.Errorf("%v\nsteps %+v", err, ops)
		}
	})
}
