// Package armtest is a box office in memory for the tests of the frame: it has the modelled capacity of a real one,
// feels the same faults, and keeps a ledger, and has neither sockets nor a database. Its "seawall" arm refuses what it
// could not answer in time; its "plain" arm waits a second and tries again, three times. Tests break it where they
// like.
package armtest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
	"github.com/seawall-go/seawall/demo/internal/gate"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
)

// Bugs are what tests break in the arms. nil functions change nothing.
type Bugs struct {
	Build  func(o runner.Options) error
	Answer func(o runner.Options, a load.Answer) load.Answer
	Status func(o runner.Options, s measure.Status) measure.Status
	Ledger func(o runner.Options, l verdict.Ledger) (verdict.Ledger, error)
	Close  func(o runner.Options) error
	Pages  func(o runner.Options) []runner.Page
}

// Builder returns a builder of arms with these bugs.
func Builder(bugs Bugs) runner.Builder {
	return func(_ context.Context, o runner.Options) (runner.Arm, error) {
		if bugs.Build != nil {
			if err := bugs.Build(o); err != nil {
				return nil, err
			}
		}
		point := o.Faults.Point(scene.Inventory)
		return &arm{
			o: o, bugs: bugs,
			gate:  gate.New(scene.Inventory, gate.Config{Draws: draw.New(o.Seed), Fault: point}),
			seats: map[seat]claim{},
		}, nil
	}
}

// arm is one box office. Its clock is an hour ahead: nothing may mix it with the frame's.
type arm struct {
	o       runner.Options
	bugs    Bugs
	gate    *gate.Gate
	working sync.WaitGroup // one for each request at the gate

	calls, attempts, shed, inside atomic.Int64

	mu     sync.Mutex // guards the fields below
	seats  map[seat]claim
	events []verdict.Event
}

type seat struct{ performance, seat int64 }

type claim struct {
	order   string
	expires time.Time
}

const (
	ahead   = time.Hour
	holdFor = time.Hour // no hold ends within a scene
	limit   = 16        // of the seawall arm: 8 in service and 8 that wait at most 40 ms
)

// Do is a customer of the arm.
func (a *arm) Do(ctx context.Context, r load.Request) load.Answer {
	answer := a.do(ctx, r)
	if a.bugs.Answer != nil {
		answer.Request = r
		answer = a.bugs.Answer(a.o, answer)
	}
	return answer
}

func (a *arm) do(ctx context.Context, r load.Request) load.Answer {
	if r.Kind == load.Catalog {
		return load.Answer{Status: http.StatusOK, Valid: true}
	}
	a.calls.Add(1)
	if a.o.Kind == verdict.Seawall {
		return a.seawall(ctx, r)
	}
	most := uint64(4)
	if a.o.Kind == verdict.NoRetry {
		most = 1
	}
	var answer load.Answer
	for attempt := uint64(1); attempt <= most; attempt++ {
		if answer = a.attempt(ctx, r, attempt, time.Second); answer.Err == "" || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Duration(1<<attempt) * 10 * time.Millisecond)
	}
	return answer
}

// seawall refuses a hold that would wait for long, and has an older seat map at hand.
func (a *arm) seawall(ctx context.Context, r load.Request) load.Answer {
	if a.inside.Add(1) > limit {
		a.inside.Add(-1)
		a.attempts.Add(1) // it was sent, and refused at the door
		a.shed.Add(1)
		return a.otherwise(r)
	}
	within := 200 * time.Millisecond
	if r.Kind == load.Hold {
		within = 400 * time.Millisecond
	}
	answer := a.attempt(ctx, r, 1, within)
	if answer.Err != "" && r.Kind == load.SeatMap {
		return a.otherwise(r)
	}
	return answer
}

func (a *arm) otherwise(r load.Request) load.Answer {
	if r.Kind == load.SeatMap {
		return load.Answer{Status: http.StatusOK, Valid: true, Stale: true, Age: 3 * time.Second}
	}
	return load.Answer{Status: http.StatusServiceUnavailable, Pushback: true}
}

// attempt is one request to inventory. What has begun there runs to its end, whoever waits.
func (a *arm) attempt(ctx context.Context, r load.Request, n uint64, within time.Duration) load.Answer {
	a.attempts.Add(1)
	ctx, cancel := context.WithTimeout(ctx, within)
	result := make(chan load.Answer, 1)
	a.working.Go(func() {
		defer cancel()
		if a.o.Kind == verdict.Seawall {
			defer a.inside.Add(-1)
		}
		var answer load.Answer
		if err := a.gate.Run(ctx, gate.Key{Arrival: r.N, Attempt: n}, func(context.Context) error {
			answer = a.work(r)
			return nil
		}); err != nil {
			answer = load.Answer{Err: err.Error()}
		}
		result <- answer
	})
	select {
	case answer := <-result:
		return answer
	case <-ctx.Done():
		select {
		case answer := <-result: // it came at the same moment, or just before the context was released
			return answer
		default:
			return load.Answer{Err: context.Cause(ctx).Error()}
		}
	}
}

// work is what a transaction does.
func (a *arm) work(r load.Request) load.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Kind == load.SeatMap {
		return load.Answer{Status: http.StatusOK, Valid: true}
	}
	for _, s := range r.Seats {
		c, claimed := a.seats[seat{r.Performance, s}]
		if claimed && c.order == r.Order {
			return load.Answer{Status: http.StatusOK, Valid: true} // repeated
		}
		if claimed {
			return load.Answer{Status: http.StatusConflict, Valid: true, Conflict: true}
		}
	}
	now := a.Now()
	for _, s := range r.Seats {
		a.seats[seat{r.Performance, s}] = claim{r.Order, now.Add(holdFor)}
		a.events = append(a.events, verdict.Event{
			At: now, Kind: verdict.Held, Order: r.Order, Performance: r.Performance, Seat: s, Expires: now.Add(holdFor),
		})
	}
	return load.Answer{Status: http.StatusCreated, Valid: true}
}

// Status says what the arm counts.
func (a *arm) Status() measure.Status {
	s := measure.Status{
		Attempts: uint64(a.attempts.Load()), Shed: uint64(a.shed.Load()),
		Draws: a.gate.Stats().Served, Short: 0,
	}
	s.Calls = uint64(a.calls.Load())
	if a.o.Kind == verdict.Seawall {
		s.Gates = []measure.Gate{{Name: scene.Inventory, InFlight: int(min(a.inside.Load(), limit)), Limit: limit}}
		s.Budget, s.Floor = 0.1, 10
	}
	if a.bugs.Status != nil {
		s = a.bugs.Status(a.o, s)
	}
	return s
}

// Now is the clock of the ledger.
func (a *arm) Now() time.Time { return time.Now().Add(ahead) }

// Operations are those of Bugs.Pages: none without it.
func (a *arm) Operations() []runner.Page {
	if a.bugs.Pages != nil {
		return a.bugs.Pages(a.o)
	}
	return nil
}

// House is twelve small shows.
func (a *arm) House() load.House { return house() }

func house() load.House {
	var h load.House
	for show := range int64(12) {
		p := load.Performance{ID: show + 1}
		for n := range int64(500) {
			p.Seats = append(p.Seats, 1000*show+n+1)
		}
		h = append(h, p)
	}
	return h
}

// Settings are some.
func (a *arm) Settings() []report.Setting {
	return []report.Setting{
		{Of: "customers", Name: "kind", Value: a.o.Kind},
		{Of: "inventory", Name: "workers", Value: "8", Default: true},
	}
}

// Ledger waits for the gate.
func (a *arm) Ledger(context.Context) (verdict.Ledger, error) {
	a.working.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	l := verdict.Ledger{Now: a.Now(), Capacity: map[int64]int{}, Events: slices.Clone(a.events)}
	for _, p := range house() {
		l.Capacity[p.ID] = len(p.Seats)
	}
	for s, c := range maps.All(a.seats) {
		l.Claims = append(l.Claims, verdict.Claim{
			Performance: s.performance, Seat: s.seat, Order: c.order, Expires: c.expires,
		})
	}
	if a.bugs.Ledger != nil {
		return a.bugs.Ledger(a.o, l)
	}
	return l, nil
}

// Close waits for what is under way.
func (a *arm) Close(context.Context) error {
	a.working.Wait()
	if a.bugs.Close != nil {
		return a.bugs.Close(a.o)
	}
	return nil
}
