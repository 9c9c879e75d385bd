package seawalltest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/seawalltest"
)

// The client and the server of a program, over a network that resets a fifth of its connections for a while.
func ExampleHTTP() { //nolint:testableexamples // Run needs a *testing.T
	client := func(base *http.Transport) *http.Client {
		return &http.Client{Transport: httpx.NewTransport("catalog", httpx.ClientConfig{}, base)}
	}
	server := func(catalog http.Handler) http.Handler { return httpx.NewHandler("api", httpx.ServerConfig{}, catalog) }
	resets := fault.Fault{
		At: 20 * time.Second, For: 5 * time.Second, Kind: fault.ResetPeer, Target: "dependency", Toxicity: 0.2,
	}

	_ = func(t *testing.T) { // a test of yours
		report := seawalltest.Run(t, seawalltest.Scenario{
			Arrivals:   seawalltest.Poisson(seawalltest.Constant(100)),
			Client:     seawalltest.HTTP(seawalltest.HTTPConfig{Client: client, Handler: server}),
			Dependency: seawalltest.Dependency{Workers: 30, Service: seawalltest.Exponential(50 * time.Millisecond)},
			Network:    seawalltest.NetworkConfig{Latency: time.Millisecond, Faults: fault.Plan{Faults: []fault.Fault{resets}}},
		})
		report.MinGoodput(t, 0, time.Minute, 0.99)
	}
}

// What the example promises holds.
func TestHTTPRidesOutResetsOfSomeConnections(t *testing.T) {
	cfg := bothEnds(false)
	report := seawalltest.Run(t, seawalltest.Scenario{
		Arrivals:   seawalltest.Poisson(seawalltest.Constant(100)),
		Client:     seawalltest.HTTP(cfg),
		Dependency: seawalltest.Dependency{Workers: 30, Service: seawalltest.Exponential(50 * time.Millisecond)},
		Network: seawalltest.NetworkConfig{Latency: time.Millisecond, Faults: fault.Plan{Faults: []fault.Fault{
			{At: 20 * time.Second, For: 5 * time.Second, Kind: fault.ResetPeer, Target: "dependency", Toxicity: 0.2},
		}}},
	})
	report.MinGoodput(t, 0, time.Minute, 0.99)
}

// A network without a scenario, for a bubble of your own.
func ExampleNewNetwork() {
	network := seawalltest.NewNetwork(seawalltest.NetworkConfig{Latency: 5 * time.Millisecond})
	defer network.Close()
	listener, err := network.Listen("catalog")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(listener) }() // until it is closed
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{DialContext: network.Dial}}
	defer client.CloseIdleConnections()
	begun := time.Now()
	resp, err := client.Get("http://catalog/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, time.Since(begun) >= 20*time.Millisecond) // a round trip to connect, and one for the answer
	// Output: 404 Not Found true
}
