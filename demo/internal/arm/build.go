package arm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/demo/internal/catalog"
	"github.com/seawall-go/seawall/demo/internal/draw"
	"github.com/seawall-go/seawall/demo/internal/edge"
	"github.com/seawall-go/seawall/demo/internal/gate"
	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/inventory"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/ops"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/demo/internal/wire"
	"github.com/seawall-go/seawall/health"
)

// Config sets how arms are built.
type Config struct {
	// Wire is how the components reach each other. Required.
	Wire wire.Wire
	// InMemory keeps the databases in memory: for tests in virtual time. Otherwise they are files in a directory of
	// their own, which Close deletes.
	InMemory bool
}

// NewBuilder returns what builds arms by cfg.
func NewBuilder(cfg Config) runner.Builder {
	return func(ctx context.Context, o runner.Options) (runner.Arm, error) {
		a := &Arm{name: o.Name, closers: []func(context.Context) error{}}
		if err := a.build(ctx, cfg, o); err != nil {
			return nil, errors.Join(err, a.Close(context.WithoutCancel(ctx)))
		}
		return a, nil
	}
}

// Arm is one box office. See [runner.Arm].
type Arm struct {
	name      string
	style     style
	inventory *inventory.Store
	gate      *gate.Gate
	house     load.House
	customers *edge.Edge
	now       func() time.Time

	services   []*ops.Service
	operations []runner.Page

	attempts, calls atomic.Uint64 // of the gateway at the inventory service

	closers []func(context.Context) error // in the order of the building
}

func (a *Arm) build(ctx context.Context, cfg Config, o runner.Options) error {
	switch o.Kind {
	case verdict.Seawall:
		a.style = &seawallStyle{registries: o.Registries, onClose: a.onClose}
	case verdict.Plain:
		a.style = plainStyle{plainRetries}
	case verdict.NoRetry:
		a.style = plainStyle{}
	default:
		return fmt.Errorf("no such kind of arm: %q", o.Kind)
	}
	a.now = steady(time.Now())
	titles, err := a.openDatabases(ctx, cfg)
	if err != nil {
		return err
	}
	a.gate = gate.New(scene.Inventory, gate.Config{
		Draws: draw.New(o.Seed), Fault: o.Faults.Point(scene.Inventory),
	})
	at := site{wire: cfg.Wire, arm: o.Index, onClose: a.onClose}
	stock := a.style.inventoryServer(inventory.NewHandler(a.inventory, a.gate))
	inventoryURL, err := a.serve(ctx, at, scene.Inventory, stock,
		health.Check{Name: "inventory.db", Scope: health.Local, Run: health.SQL(a.inventory)})
	if err != nil {
		return err
	}
	asks := a.style.inventoryClient(inventoryURL, counted{at.transport(), &a.calls, &a.attempts})
	gatewayURL, err := a.serve(ctx, at, front, a.style.gatewayServer(gateway.Handler(titles, asks)),
		health.Check{Name: "catalog.db", Scope: health.Local, Run: health.SQL(titles)})
	if err != nil {
		return err
	}
	a.customers = edge.New(a.style.customers(at.transport()), gatewayURL)
	return nil
}

// serve starts a service, and beside it, on a listener of their own, its operations, if it has any.
func (a *Arm) serve(ctx context.Context, at site, name string, h http.Handler, checks ...health.Check) (url string, err error) {
	operations, err := a.style.operate(name, checks...)
	if err != nil {
		return "", err
	}
	if operations != nil {
		a.services = append(a.services, operations)
		a.onClose(operations.Close)
		h = operations.Public(h)
		admin, err := at.serve(ctx, operations.Admin())
		if err != nil {
			return "", err
		}
		a.operations = append(a.operations, runner.Page{Arm: a.name, Service: name, URL: admin})
	}
	return at.serve(ctx, h)
}

// openDatabases fills the catalogue, and puts all that is in it on sale.
func (a *Arm) openDatabases(ctx context.Context, cfg Config) (*catalog.Catalog, error) {
	path := func(string) string { return sqlite.Memory }
	if !cfg.InMemory {
		dir, err := os.MkdirTemp("", "boxoffice-")
		if err != nil {
			return nil, err
		}
		a.onClose(func(context.Context) error { return os.RemoveAll(dir) })
		path = func(name string) string { return filepath.Join(dir, name) }
	}
	titles, err := catalog.Open(ctx, path("catalog.db"))
	if err != nil {
		return nil, err
	}
	a.onClose(func(context.Context) error { return titles.Close() })
	if err := titles.Seed(ctx, catalog.SeedConfig{}); err != nil {
		return nil, err
	}
	millis := func() int64 { return a.now().UnixMilli() }
	if a.inventory, err = inventory.Open(ctx, path("inventory.db"), inventory.Config{Now: millis}); err != nil {
		return nil, err
	}
	a.onClose(func(context.Context) error { return a.inventory.Close() })
	page, err := titles.Performances(ctx, catalog.Cursor{}, 100)
	if err != nil {
		return nil, err
	}
	for _, p := range page {
		sale, err := titles.OnSale(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		if err := a.inventory.PutOnSale(ctx, sale.Performance, sale.Seats); err != nil {
			return nil, err
		}
		a.house = append(a.house, load.Performance{ID: sale.Performance, Seats: sale.Seats})
	}
	return titles, nil
}

// The components beside the inventory, as their registries and pages are called.
const (
	front = "gateway"
	sdk   = "customers"
)

// steady is the wall clock as it was at start, plus the time since: a step of the wall clock moves nothing.
func steady(start time.Time) func() time.Time {
	wall := start.Round(0)
	return func() time.Time { return wall.Add(time.Since(start)) }
}

func (a *Arm) onClose(f func(context.Context) error) { a.closers = append(a.closers, f) }

// patience is how long customers wait for an answer, in all arms.
const patience = 5 * time.Second

// counted counts what really goes out, below whatever decides about it, alike for all arms: the first attempts, which are
// the calls, and all attempts. A call that its own side rejects is in neither. It also tells the service which attempt it
// is, if the client does so in a header of its own.
type counted struct {
	http.RoundTripper
	calls, attempts *atomic.Uint64
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	attempt := cmp.Or(r.Header.Get("Seawall-Attempt"), r.Header.Get(gateway.AttemptHeader), "1")
	if attempt == "1" {
		c.calls.Add(1) // before the attempts: see Status
	}
	c.attempts.Add(1)
	r = r.Clone(r.Context())
	r.Header.Set(gateway.AttemptHeader, attempt)
	return c.RoundTripper.RoundTrip(r)
}
