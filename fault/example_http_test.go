package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// begin starts a plan of one fault, for an hour, at target "payments".
func begin(name string, f fault.Fault) *fault.Injector {
	f.For, f.Target = time.Hour, "payments"
	injector := fault.New(name, fault.Config{Plan: fault.Plan{Seed: 1, Faults: []fault.Fault{f}}, Registry: quiet()})
	if err := injector.Start(context.Background()); err != nil {
		fmt.Println(err)
	}
	return injector
}

// get prints the answer to a request.
func get(client *http.Client, url string) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := client.Do(req)
	if err != nil {
		fmt.Println("reset:", errors.Is(err, syscall.ECONNRESET))
		return
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	fmt.Println(res.Status, res.Header.Get("Retry-After"), string(text), err)
}

func paid(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "paid") }

func ExamplePoint_RoundTripper() {
	server := httptest.NewServer(http.HandlerFunc(paid))
	defer server.Close()
	injector := begin("client", fault.Fault{
		Kind: fault.StatusCode, Status: 503, Body: "come back later", RetryAfter: 2 * time.Second, Route: "/payments/",
	})
	client := &http.Client{Transport: injector.Point("payments").RoundTripper(nil)} // nil is http.DefaultTransport
	get(client, server.URL+"/payments/7")
	get(client, server.URL+"/refunds/7")
	injector.Stop()
	get(client, server.URL+"/payments/7")
	// Output:
	// 503 Service Unavailable 2 come back later <nil>
	// 200 OK  paid <nil>
	// 200 OK  paid <nil>
}

func ExamplePoint_Handler() {
	injector := begin("server", fault.Fault{Kind: fault.Truncate, Bytes: 2})
	server := httptest.NewServer(injector.Point("payments").Handler(http.HandlerFunc(paid)))
	defer server.Close()
	get(server.Client(), server.URL)
	injector.Stop()
	get(server.Client(), server.URL)
	// Output:
	// 200 OK  pa unexpected EOF
	// 200 OK  paid <nil>
}

func ExampleNewProxy() {
	server := httptest.NewServer(http.HandlerFunc(paid))
	defer server.Close()
	injector := begin("proxy", fault.Fault{Kind: fault.ResetPeer, Bytes: 10, Stream: fault.Upstream})
	proxy, err := fault.NewProxy(injector.Point("payments"), fault.ProxyConfig{Upstream: server.Listener.Addr().String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = proxy.Close() }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get(client, "http://"+proxy.Addr().String()) // the program under test knows this address only
	injector.Stop()
	get(client, "http://"+proxy.Addr().String())
	// Output:
	// reset: true
	// 200 OK  paid <nil>
}

func ExampleProxyConfig_Validate() {
	fmt.Println(fault.ProxyConfig{Listen: "127.0.0.1:0"}.Validate())
	// Output: fault: ProxyConfig.Upstream is "", want an address such as "127.0.0.1:5432"
}

// An adapter of a protocol asks Draw, and carries out what it says.
func ExamplePoint_Draw() {
	point := begin("adapter", fault.Fault{
		Kind: fault.StatusCode, Code: "RESOURCE_EXHAUSTED", RetryAfter: time.Second, Route: "/shop.v1.Payments/*",
	}).Point("payments")
	invoke := func(ctx context.Context, method string) error {
		in := point.Draw(ctx, fault.Call{Route: method})
		if err := in.Wait(ctx); err != nil {
			return err
		}
		if in != nil && in.Err != nil {
			return fmt.Errorf("code %s, retry in %v: %w", in.Err.Code, in.Err.RetryAfter, in.Err)
		}
		return nil
	}
	fmt.Println(invoke(context.Background(), "/shop.v1.Payments/Charge"))
	fmt.Println(invoke(context.Background(), "/shop.v1.Orders/List"))
	// Output:
	// code RESOURCE_EXHAUSTED, retry in 1s: fault "payments": injected status 429
	// <nil>
}

func ExamplePlan_String() {
	fmt.Print(fault.Plan{Seed: 1, Faults: []fault.Fault{
		{At: 8 * time.Second, For: 12 * time.Second, Kind: fault.Slow, Target: "inventory", Factor: 40},
		{At: time.Second, For: 2 * time.Second, Kind: fault.Error, Target: "payments", Rate: 0.3},
	}})
	// Output:
	// seed 1, 2 faults in 20s
	// 1s to  3s  error  payments   |..####..................................|  rate 0.3
	// 8s to 20s  slow   inventory  |................########################|  factor 40
}
