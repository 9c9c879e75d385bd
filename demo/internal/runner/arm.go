package runner

import (
	"context"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/fault"
)

// Arm is a whole box office: its components, its databases and the software of its customers. All methods but Close may
// be called at any time and by many goroutines.
type Arm interface {
	// Do is what a customer does for a request, up to the end: with the time limits and retries that the customers'
	// software of this arm has. It returns soon after ctx has ended. Request, Sent and Done of the answer are set by the
	// caller.
	Do(ctx context.Context, r load.Request) load.Answer
	// Status is what the arm says of itself now. It is asked ten times a second and must not block. Attempts are read
	// before Calls, so that a call in between does not look like a second attempt.
	Status() measure.Status
	// Now is the time by the clock of the arm's databases.
	Now() time.Time
	// House is what the arm sells. It is the same for all arms, and nobody changes it.
	House() load.House
	// Operations are the pages on which people see what the services of the arm are doing; none if it has none.
	Operations() []Page
	// Settings are what the arm was built with, in the order in which they are shown.
	Settings() []report.Setting
	// Ledger waits until nothing is under way any more, and returns what the databases say. It is called when the traffic
	// has ended.
	Ledger(ctx context.Context) (verdict.Ledger, error)
	// Close ends the arm, waits for its goroutines, and deletes what it stored. It is called once.
	Close(ctx context.Context) error
}

// Page is a page for the people who run a service: whose it is, and where.
type Page struct{ Arm, Service, URL string }

// Options are what a [Builder] is given.
type Options struct {
	// Name is the arm's name in the run, such as "seawall" or "plain-b", and Kind says what to build: one of
	// verdict.Kinds.
	Name, Kind string
	// Index is the number of the arm in the run, from 0.
	Index int
	// Seed fixes everything that is drawn: arms with equal seeds draw the same.
	Seed uint64
	// Scene is what the arm is built for.
	Scene scene.Scene
	// Faults is where the arm gets its points from. Its plan starts with the scene.
	Faults *fault.Injector
	// Registries are for the arm's policies. Each arm has its own, so that equal names do not meet.
	Registries *Registries
}

// Builder builds an arm that is ready to serve. ctx is for the building only. An error means that nothing was left
// behind.
type Builder func(ctx context.Context, o Options) (Arm, error)

// Spec names an arm of a run.
type Spec struct{ Name, Kind string }
