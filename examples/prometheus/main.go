// Command prometheus shows what a service has for the people who run it: /metrics for a Prometheus to scrape, probes, and
// the debug page, on a listener of their own. It makes some calls, shows what a scrape returns, and ends.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/lifecycle"
	"github.com/seawall-go/seawall/telemetry"
	"github.com/seawall-go/seawall/telemetry/debugpage"
)

func main() {
	seawall.DefaultRegistry().SetLogger(slog.New(slog.DiscardHandler)) // the program tells what happens by itself
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	// What a program sets up once.
	collected := client.NewRegistry()
	exporter, err := prometheus.New(prometheus.WithRegisterer(collected), prometheus.WithoutScopeInfo())
	if err != nil {
		return err
	}
	provider := metric.NewMeterProvider(metric.WithReader(exporter))
	registration, err := telemetry.Register(provider, telemetry.Config{
		Histograms: []string{telemetry.QueueWait}, // what is told of each call has to be asked for
	})
	if err != nil {
		return err
	}
	defer func() { _ = registration.Unregister() }()
	payments := seawall.Chain(
		breaker.New("payments", breaker.Config{MinCalls: 4}),
		bulkhead.New("payments", bulkhead.Config{Limit: 8}),
	)
	printer := bulkhead.New("printer", bulkhead.Config{Limit: 1})
	ready := health.New("shop", health.Config{})
	page := debugpage.New(debugpage.Config{Health: ready, Chains: map[string]seawall.Policy{"payments": payments}})
	defer page.Close()
	admin := http.NewServeMux()
	admin.Handle("/metrics", promhttp.HandlerFor(collected, promhttp.HandlerOpts{}))
	admin.Handle("/debug/seawall/", page)
	admin.Handle("/livez", ready.AdminHandler())
	admin.Handle("/readyz", ready.AdminHandler())
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0") // a fixed address, in a program
	if err != nil {
		return err
	}

	ctx, end := context.WithCancel(ctx) // in a program the end comes by a signal
	defer end()
	_, err = lifecycle.Run(ctx, lifecycle.Config{Health: ready, DrainDelay: lifecycle.NoDelay},
		lifecycle.HTTP("admin", &http.Server{Handler: admin, ReadHeaderTimeout: 5 * time.Second}, listener),
		lifecycle.Worker("customers", func(ctx context.Context) error {
			defer end()
			var second sync.WaitGroup
			err := printer.Do(ctx, func(ctx context.Context) error {
				second.Go(func() { _ = printer.Do(ctx, func(context.Context) error { return nil }) })
				for printer.Stats().Waiting == 0 && ctx.Err() == nil { // the second one waits for its turn
					time.Sleep(time.Millisecond)
				}
				return nil
			})
			second.Wait()
			_, _ = fmt.Fprintln(out, "printed:", err == nil)
			for range 6 { // four failures open the breaker
				err := payments.Do(ctx, func(context.Context) error { return errors.New("connection refused") })
				_, _ = fmt.Fprintln(out, err)
			}
			return scrape(ctx, out, "http://"+listener.Addr().String()+"/metrics")
		}),
		lifecycle.Flush("metrics", provider.Shutdown),
	)
	return err
}

// scrape shows some of what a Prometheus gets.
func scrape(ctx context.Context, out io.Writer, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var lines []string
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		if (strings.HasPrefix(s.Text(), "seawall_breaker_") || strings.HasPrefix(s.Text(), "seawall_queue_wait_seconds_count")) && !strings.HasSuffix(s.Text(), " 0") {
			lines = append(lines, s.Text())
		}
	}
	slices.Sort(lines)
	_, err = fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
