package arm

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seawall-go/seawall/demo/internal/inventory"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/verdict"
)

var _ runner.Arm = (*Arm)(nil)

// Do is a customer's request.
func (a *Arm) Do(ctx context.Context, r load.Request) load.Answer { return a.customers.Do(ctx, r) }

// Status is what the arm says of itself.
func (a *Arm) Status() measure.Status {
	var s measure.Status
	s.Attempts = a.attempts.Load() // before the calls: a call between the two is not a second attempt
	s.Calls = a.calls.Load()
	g := a.gate.Stats()
	s.Draws, s.Short = g.Served+uint64(g.InService), g.Short
	a.style.status(&s)
	return s
}

// Now is the time by the clock of the databases.
func (a *Arm) Now() time.Time { return a.now() }

// House is what is on sale.
func (a *Arm) House() load.House { return a.house }

// Operations are the pages of its services.
func (a *Arm) Operations() []runner.Page { return a.operations }

// Settings are what the arm was built with.
func (a *Arm) Settings() []report.Setting { return a.style.settings() }

// Ledger waits until the inventory service is at rest, and reads its log.
func (a *Arm) Ledger(ctx context.Context) (verdict.Ledger, error) {
	for s := a.gate.Stats(); s.InService+s.Waiting > 0; s = a.gate.Stats() {
		if ctx.Err() != nil {
			return verdict.Ledger{}, context.Cause(ctx)
		}
		time.Sleep(10 * time.Millisecond)
	}
	audit, err := a.inventory.Audit(ctx)
	if err != nil {
		return verdict.Ledger{}, err
	}
	return ledgerOf(audit), nil
}

func ledgerOf(audit inventory.Audit) verdict.Ledger {
	l := verdict.Ledger{Now: time.UnixMilli(audit.AsOfMS), Capacity: audit.Capacity}
	for _, e := range audit.Events {
		l.Events = append(l.Events, verdict.Event{
			At: time.UnixMilli(e.AtMS), Kind: verdict.EventKind(e.Kind), Order: e.Order,
			Performance: e.Performance, Seat: e.Seat, Expires: instant(e.ExpiresAtMS),
		})
	}
	for _, c := range audit.Claims {
		l.Claims = append(l.Claims, verdict.Claim{
			Performance: c.Performance, Seat: c.Seat, Order: c.Order, Expires: instant(c.ExpiresAtMS),
		})
	}
	return l
}

// instant is the zero time for 0, which the inventory writes where there is none.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Close ends the arm from the outside in: who asks goes before who answers. Readiness fails before that. There is no delay in
// between, because the customers have ended already, and no balancer has to notice.
func (a *Arm) Close(ctx context.Context) error {
	for _, s := range a.services {
		s.Drain()
	}
	var all error
	for _, closer := range slices.Backward(a.closers) {
		all = errors.Join(all, closer(ctx))
	}
	a.closers = nil
	return all
}
