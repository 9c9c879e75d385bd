package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

func Example() {
	plan, err := fault.ParsePlan(strings.NewReader(
		`{"seed": 4, "faults": [{"for": "1h", "kind": "error", "target": "payments", "rate": 0.3}]}`,
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	injector := fault.New("drill", fault.Config{Plan: plan})
	payments := seawall.Chain(injector.Point("payments")) // behind what guards the dependency

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // heals everything
	if err := injector.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for range 5 {
		fmt.Println(payments.Do(ctx, func(context.Context) error { return nil }))
	}
	// Output:
	// <nil>
	// fault "payments": injected error
	// <nil>
	// <nil>
	// <nil>
}

func ExampleNew() {
	injector := fault.New("rehearsal", fault.Config{Plan: fault.Plan{Seed: 1, Faults: []fault.Fault{
		{At: 8 * time.Second, For: 12 * time.Second, Kind: fault.Slow, Target: "inventory", Factor: 40},
	}}})
	fmt.Println(injector, injector.Stats().State)
	// Output: fault "rehearsal" waiting
}

func ExampleParsePlan() {
	_, err := fault.ParsePlan(strings.NewReader(
		`{"seed": 1, "faults": [{"at": "8s", "for": "8s", "kind": "capacity", "target": "inventory", "factor": 40}]}`,
	))
	fmt.Println(err)
	// Output: fault: plan: faults[0].factor is 40, want 0.001 to 1 for kind "capacity"
}

func ExampleInjector_Start() {
	injector := fault.New("start", fault.Config{})
	ctx := context.Background()
	fmt.Println(injector.Start(ctx))
	fmt.Println(errors.Is(injector.Start(ctx), fault.ErrStarted))
	// Output:
	// <nil>
	// true
}

func ExampleInjector_Stop() {
	injector := fault.New("stop", fault.Config{Plan: fault.Plan{Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.Slow, Target: "inventory", Factor: 40},
	}}})
	if err := injector.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	inventory := injector.Point("inventory")
	fmt.Println(inventory.Slow(), len(injector.Active()))
	injector.Stop()
	fmt.Println(inventory.Slow(), len(injector.Active()))
	// Output:
	// 40 1
	// 1 0
}

func ExamplePoint() {
	injector := fault.New("point", fault.Config{Plan: fault.Plan{Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.Slow, Target: "inventory", Factor: 40},
		{For: time.Hour, Kind: fault.Capacity, Target: "inventory", Factor: 0.5},
	}}})
	inventory := injector.Point("inventory") // held by the code that models the dependency
	workers, service := 8.0, 40*time.Millisecond
	show := func() {
		fmt.Println(workers*inventory.Capacity(), time.Duration(float64(service)*inventory.Slow()))
	}
	show()
	if err := injector.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	show()
	injector.Stop()
	show()
	// Output:
	// 8 40ms
	// 4 1.6s
	// 8 40ms
}

func ExamplePoint_Err() {
	injector := fault.New("err", fault.Config{Plan: fault.Plan{Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.Error, Target: "payments", Rate: 1},
	}}})
	ctx := context.Background()
	if err := injector.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer injector.Stop()
	err := injector.Point("payments").Err(ctx)
	fmt.Println(err, errors.Is(err, fault.ErrInjected), seawall.Classify(err).Outcome)
	// Output: fault "payments": injected error true failure
}

// The network between an HTTP client and its server, 30 ms slower for an hour, and cut in two for the first ten seconds.
func ExamplePoint_Dial() {
	injector := fault.New("network", fault.Config{Plan: fault.Plan{Seed: 1, Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.Latency, Target: "catalog", Latency: 30 * time.Millisecond, Jitter: 5 * time.Millisecond},
		{For: 10 * time.Second, Kind: fault.Stall, Target: "catalog", Stream: fault.BothStreams},
	}}})
	dial := injector.Point("catalog").Dial((&net.Dialer{}).DialContext)
	client := &http.Client{Transport: &http.Transport{DialContext: dial}}
	fmt.Println(client.Transport != nil, len(injector.Active()))
	// Output: true 0
}

func ExamplePoint_Conn() {
	injector := fault.New("conn", fault.Config{Plan: fault.Plan{Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.ResetPeer, Target: "db", Bytes: 5},
	}}})
	client, server := net.Pipe()
	defer server.Close()
	conn := injector.Point("db").Conn(client)
	defer conn.Close()
	if err := injector.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer injector.Stop()
	go io.WriteString(server, "hello, world")
	answer, err := io.ReadAll(conn)
	fmt.Printf("%s\n", answer)
	fmt.Println(errors.Is(err, syscall.ECONNRESET), errors.Is(err, fault.ErrInjected))
	// Output:
	// hello
	// true true
}

func ExamplePoint_Listener() {
	injector := fault.New("listener", fault.Config{Plan: fault.Plan{Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.Bandwidth, Target: "catalog", Rate: 64},
	}}})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	listener := injector.Point("catalog").Listener(inner) // for http.Server.Serve, or a gRPC server
	defer listener.Close()
	fmt.Println(listener.Addr().Network())
	// Output: tcp
}

func ExampleWithKey() {
	plan := fault.Plan{Seed: 1, Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.Error, Target: "payments", Rate: 0.5},
	}}
	var arms [2]string
	for n := range arms { // two systems side by side, each with requests in an order of its own
		injector := fault.New([]string{"left", "right"}[n], fault.Config{Plan: plan})
		if err := injector.Start(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		hit := map[uint64]bool{}
		for request := range uint64(8) {
			request = (request + uint64(n)*3) % 8
			ctx := fault.WithKey(context.Background(), request)
			hit[request] = injector.Point("payments").Err(ctx) != nil
		}
		injector.Stop()
		arms[n] = fmt.Sprint(hit)
	}
	fmt.Println(arms[0] == arms[1])
	// Output: true
}
