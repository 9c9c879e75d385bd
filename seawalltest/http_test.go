package seawalltest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/seawalltest"
)

// unseen is a registry whose members and events nobody sees.
func unseen() *seawall.Registry {
	r := &seawall.Registry{}
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// bothEnds is a client of httpx and a server of httpx.
func bothEnds(http2 bool) seawalltest.HTTPConfig {
	registry := unseen()
	return seawalltest.HTTPConfig{
		HTTP2: http2,
		Client: func(base *http.Transport) *http.Client {
			cfg := httpx.ClientConfig{Timeout: 5 * time.Second, AttemptTimeout: time.Second, Registry: registry}
			return &http.Client{Transport: httpx.NewTransport("client", cfg, base)}
		},
		Handler: func(next http.Handler) http.Handler {
			return httpx.NewHandler("server", httpx.ServerConfig{Registry: registry}, next)
		},
	}
}

// troubled is a minute at 100 calls a second with each kind of fault once.
func troubled(http2 bool) seawalltest.Scenario {
	perSecond := 100.0
	if raceEnabled { // which is slow
		perSecond = 30
	}
	return seawalltest.Scenario{
		Arrivals:   seawalltest.Poisson(seawalltest.Constant(perSecond)),
		Client:     seawalltest.HTTP(bothEnds(http2)),
		Dependency: seawalltest.Dependency{Workers: 30, Service: seawalltest.Exponential(50 * time.Millisecond)},
		Network: seawalltest.NetworkConfig{
			Latency: 2 * time.Millisecond,
			Faults: fault.Plan{Seed: 1, Faults: []fault.Fault{
				at(5*time.Second, 5*time.Second, fault.Latency),
				at(15*time.Second, 3*time.Second, fault.ResetPeer),
				at(25*time.Second, 5*time.Second, fault.Stall),
				at(40*time.Second, 2*time.Second, fault.Down),
			}},
		},
	}
}

func at(from, lasts time.Duration, kind fault.Kind) fault.Fault {
	f := fault.Fault{At: from, For: lasts, Kind: kind, Target: "dependency"}
	switch kind {
	case fault.Latency:
		f.Latency, f.Jitter = 100*time.Millisecond, 20*time.Millisecond
	case fault.ResetPeer:
		f.Toxicity = 0.2
	}
	return f
}

func protocols(t *testing.T, test func(t *testing.T, http2 bool)) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) { test(t, http2) })
	}
}

func TestHTTPRecoversFromFaultsOfTheNetwork(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		begun := time.Now()
		r := seawalltest.Run(t, troubled(http2))
		took := time.Since(begun)
		t.Log(took, r)
		if took > 3*time.Second && !raceEnabled {
			t.Errorf("it took %v", took)
		}
		r.MinGoodput(t, 0, 5*time.Second, 0.9)
		r.MinGoodput(t, 6*time.Second, 15*time.Second, 0.97)
		r.MinGoodput(t, 15*time.Second, 25*time.Second, 0.9)
		if got := r.Between(26*time.Second, 30*time.Second).Good; got != 0 {
			t.Errorf("%d calls were answered through a stall", got)
		}
		if got := r.Between(40*time.Second, 42*time.Second).Good; got != 0 {
			t.Errorf("%d calls were answered by a server that was down", got)
		}
		r.Recovers(t, 42*time.Second, 8*time.Second, 0.97)
		r.MaxAmplification(t, 1.1)
		// A round trip is twice the network's latency; downstream the plan adds 80 ms at the least.
		if p := r.LatencyBetween(0, 5*time.Second, 0.01); p < 4*time.Millisecond || p > 10*time.Millisecond {
			t.Errorf("the fastest took %v", p)
		}
		if p := r.LatencyBetween(6*time.Second, 10*time.Second, 0.01); p < 84*time.Millisecond || p > 95*time.Millisecond {
			t.Errorf("under a latency the fastest took %v", p)
		}
	})
}

// Over HTTP/1.1 it is the whole report. What shares a connection of HTTP/2 comes in one instant after a fault.
func TestHTTPWithTheSameSeedGivesTheSameRun(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		first := seawalltest.Run(t, troubled(http2))
		runs := 3
		if raceEnabled {
			runs = 1
		}
		for range runs {
			again := seawalltest.Run(t, troubled(http2))
			if again.Totals != first.Totals || !http2 && !reflect.DeepEqual(again, first) {
				t.Errorf("%v\n%v", again, first)
			}
		}
		other := troubled(http2)
		other.Seed = 2
		if r := seawalltest.Run(t, other); r.Totals == first.Totals {
			t.Error("another seed gives the same")
		}
	})
}

func TestHTTPSpeaksTheProtocolItIsTold(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		var others, all atomic.Int64
		cfg := seawalltest.HTTPConfig{HTTP2: http2, Handler: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				all.Add(1)
				if (r.ProtoMajor == 2) != http2 {
					others.Add(1)
				}
				next.ServeHTTP(w, r)
			})
		}}
		r := seawalltest.Run(t, seawalltest.Scenario{
			Arrivals: seawalltest.Even(seawalltest.Constant(20)), Client: seawalltest.HTTP(cfg), Duration: 2 * time.Second,
			Dependency: seawalltest.Dependency{Workers: 10, Service: seawalltest.Fixed(10 * time.Millisecond)},
		})
		if others.Load() != 0 || all.Load() == 0 || r.Totals.Good != r.Totals.Offered {
			t.Errorf("%d of %d requests came by another protocol: %v", others.Load(), all.Load(), r)
		}
	})
}

func TestHTTPAnswersSayWhatTheDependencySays(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*seawalltest.Scenario)
		status  int
		refused bool
		after   string
	}{
		{"service", func(s *seawalltest.Scenario) { s.Dependency.Errors = 1 }, 500, false, ""},
		{"queue", func(s *seawalltest.Scenario) {
			s.Dependency = seawalltest.Dependency{Queue: 1, Service: seawalltest.Fixed(time.Hour)}
		}, 503, false, ""},
		{"rejected", func(s *seawalltest.Scenario) {
			s.Server = func() seawall.Policy { return refuses{} }
		}, 503, true, "3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var answers answered
			cfg := seawalltest.HTTPConfig{Client: func(base *http.Transport) *http.Client {
				answers.base = base
				return &http.Client{Transport: &answers}
			}}
			var mu sync.Mutex
			var last error
			client := func(env *seawalltest.Env) func(context.Context) error {
				call := seawalltest.HTTP(cfg)(env)
				return func(ctx context.Context) error {
					err := call(ctx)
					mu.Lock()
					defer mu.Unlock()
					if ctx.Err() == nil {
						last = err
					}
					return err
				}
			}
			s := seawalltest.Scenario{
				Arrivals: seawalltest.Even(seawalltest.Constant(1)), Client: client, Duration: 10 * time.Second,
			}
			test.change(&s)
			r := seawalltest.Run(t, s)
			status, ok := errors.AsType[*seawalltest.StatusError](last)
			if !ok || status.Status != test.status || status.Refused != test.refused || answers.after != test.after {
				t.Errorf("%v, Retry-After %q", last, answers.after)
			}
			if (r.Totals.Rejected > 0) != test.refused || (r.Totals.Failed > 0) == test.refused || r.Totals.Good != 0 {
				t.Errorf("%+v", r.Totals)
			}
		})
	}
}

// answered keeps the hint of the last answer.
type answered struct {
	base  http.RoundTripper
	after string
}

func (a *answered) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.base.RoundTrip(r)
	if err == nil {
		a.after = resp.Header.Get("Retry-After")
	}
	return resp, err
}

// refuses is a gate that lets nothing in.
type refuses struct{}

func (refuses) Do(context.Context, func(context.Context) error) error {
	return seawall.Reject("gate", "closed", seawall.ReasonFull, bulkhead.ErrFull, 2100*time.Millisecond)
}

// httpx understands what the server of a scenario says when its policy refuses a request: that it is no failure.
func TestHTTPRefusalsAreOverloadForTheClientsBreaker(t *testing.T) {
	var breakers []string
	cfg := bothEnds(false)
	cfg.Handler = nil
	makeClient := cfg.Client
	var transport *httpx.Transport
	cfg.Client = func(base *http.Transport) *http.Client {
		c := makeClient(base)
		transport = c.Transport.(*httpx.Transport)
		return c
	}
	r := seawalltest.Run(t, seawalltest.Scenario{
		Arrivals: seawalltest.Even(seawalltest.Constant(50)), Client: seawalltest.HTTP(cfg),
		Server: func() seawall.Policy { return refuses{} }, Duration: 10 * time.Second,
	})
	for host, b := range transport.Breakers() {
		breakers = append(breakers, host+" "+b.State().String())
	}
	if got := strings.Join(breakers, ", "); got != "http://dependency closed" || r.Totals.Good != 0 {
		t.Errorf("%s: %v", got, r)
	}
}

// What a user's request is, and that a body reaches the server.
func TestHTTPSendsTheRequestsOfTheUser(t *testing.T) {
	var got atomic.Value
	cfg := seawalltest.HTTPConfig{
		Name: "orders",
		Request: func(ctx context.Context, url string) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodPost, url+"v1/orders", strings.NewReader("two seats"))
		},
		Handler: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				got.Store(fmt.Sprint(r.Method, " ", r.Host, r.URL, " ", string(body), " ", err))
				next.ServeHTTP(w, r)
			})
		},
	}
	r := seawalltest.Run(t, seawalltest.Scenario{
		Arrivals: seawalltest.Even(seawalltest.Constant(1)), Client: seawalltest.HTTP(cfg), Duration: 3 * time.Second,
	})
	if got.Load() != "POST orders/v1/orders two seats <nil>" || r.Totals.Good != 2 {
		t.Errorf("%v: %v", got.Load(), r)
	}
	broken := errors.New("no request")
	cfg.Request = func(context.Context, string) (*http.Request, error) { return nil, broken }
	r = seawalltest.Run(t, seawalltest.Scenario{
		Arrivals: seawalltest.Even(seawalltest.Constant(1)), Client: seawalltest.HTTP(cfg), Duration: 3 * time.Second,
	})
	if r.Totals.Failed != r.Totals.Offered || r.Totals.Attempts != 0 {
		t.Errorf("%v", r)
	}
}

// Whatever is under way when the scenario ends, nothing of it stays: the bubble would not end.
func TestHTTPLeavesNothingBehind(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		for name, faults := range map[string][]fault.Fault{
			"healthy": nil,
			"stalled": {{For: time.Hour, Kind: fault.Stall, Target: "dependency", Stream: fault.BothStreams}},
			"slow":    {{For: time.Hour, Kind: fault.Latency, Target: "dependency", Latency: time.Minute}},
			"narrow":  {{For: time.Hour, Kind: fault.Bandwidth, Target: "dependency", Rate: 0.001}},
		} {
			begun := time.Now()
			r := seawalltest.Run(t, seawalltest.Scenario{
				Arrivals: seawalltest.Even(seawalltest.Constant(10)), Client: seawalltest.HTTP(seawalltest.HTTPConfig{HTTP2: http2}),
				Dependency: seawalltest.Dependency{Service: seawalltest.Fixed(time.Hour)}, Duration: 5 * time.Second,
				Network: seawalltest.NetworkConfig{Faults: fault.Plan{Faults: faults}},
			})
			if r.Totals.Unfinished != r.Totals.Offered {
				t.Errorf("%s: %v after %v", name, r, time.Since(begun))
			}
		}
	})
}

func TestCleanupsRunLastFirstWhenAllCallsHaveEnded(t *testing.T) {
	var order []string
	var calls atomic.Int64
	seawalltest.Run(t, seawalltest.Scenario{
		Arrivals: seawalltest.Even(seawalltest.Constant(1)), Duration: 3 * time.Second,
		Client: func(env *seawalltest.Env) func(context.Context) error {
			end := make(chan struct{})
			go func() { <-end }()
			env.Cleanup(func() {
				close(end)
				order = append(order, fmt.Sprint("first, calls under way ", calls.Load()))
				if _, err := env.Network.Listen("still open"); err != nil {
					t.Error(err)
				}
			})
			env.Cleanup(func() { order = append(order, "second") })
			return func(ctx context.Context) error {
				calls.Add(1)
				defer calls.Add(-1)
				<-ctx.Done()
				return ctx.Err()
			}
		},
	})
	if got := strings.Join(order, "; "); got != "second; first, calls under way 0" {
		t.Error(got)
	}
}
