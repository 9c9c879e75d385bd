package seawalltest

import (
	"context"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

// Env is what a [Client] finds in the bubble of its scenario.
type Env struct {
	// Dependency sends one request to the dependency, through the server's policy, and waits for its answer. It counts as
	// one attempt.
	Dependency func(ctx context.Context) error
	// Network is for clients that speak a protocol over connections.
	Network *Network

	attempted func()                      // counts an attempt
	request   func(context.Context) error // Dependency without that
	cleanups  []func()
}

// Cleanup makes f run at the end of the scenario, when all calls have returned and before the network is closed. The
// last one comes first. It is where a client ends what it has started, such as a server or a pool. It is to be called by
// the function that is the [Client], and not by calls.
func (e *Env) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

func (e *Env) cleanup() {
	for _, f := range e.cleanups {
		defer f() // all of them, whatever one does
	}
}

// Client makes the client under test, inside of the bubble, and returns what one caller does. What it starts there must
// have ended when the context of env's calls has, or be ended by an [Env.Cleanup]: a goroutine that is left behind fails
// the test.
type Client func(env *Env) (call func(ctx context.Context) error)

// Policy is a client that calls the dependency through a policy, such as a [seawall.Pipeline]. make is called once, in the
// bubble, and is to make the policy there, of the same configuration as the program's, rather than to return a variable of
// the package. A policy that was made outside works, and begins anew by the clock of the bubble, which starts in the year
// 2000: a window of time is empty, an open time runs in full, a bucket has the tokens that it had. But it brings along
// what it has learned or kept, copies in a cache with the time to live that they have by the other clock included, and one
// that is in use outside at the same time, with calls in its queue, ends the test by a panic of a timer. If make returns
// nil, the scenario panics and says so.
func Policy(make func() seawall.Policy) Client {
	return func(env *Env) func(context.Context) error {
		p := make()
		if p == nil {
			panic("seawalltest: the function of Policy returned nil, want a policy")
		}
		return func(ctx context.Context) error { return p.Do(ctx, env.Dependency) }
	}
}

// Plain is a client without policies: it makes up to so many attempts, each with a limit of time, one right after the
// other. It is what to compare with. Plain panics unless both are above 0.
func Plain(attempts int, limit time.Duration) Client {
	if attempts < 1 || limit <= 0 {
		panic(fmt.Sprintf("seawalltest: Plain(%d, %v): want at least one attempt, and a limit above 0", attempts, limit))
	}
	return func(env *Env) func(context.Context) error {
		return func(ctx context.Context) (err error) {
			for range attempts {
				within, cancel := context.WithTimeout(ctx, limit)
				err = env.Dependency(within)
				cancel()
				if err == nil || ctx.Err() != nil {
					return err
				}
			}
			return err
		}
	}
}
