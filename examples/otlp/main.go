// Command otlp shows metrics that are pushed by OTLP over HTTP, to a collector that this program brings along: it tells
// which instruments have arrived, and ends. In a program the collector is another one, and the exporter finds it by
// OTEL_EXPORTER_OTLP_ENDPOINT.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry"
)

func main() {
	seawall.DefaultRegistry().SetLogger(slog.New(slog.DiscardHandler)) // the program tells what happens by itself
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	received := make(chan []string, 1)
	server := httptest.NewServer(collect(received))
	defer server.Close()

	// What a program sets up once.
	exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(server.URL+"/v1/metrics"))
	if err != nil {
		return err
	}
	provider := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(exporter)))
	registration, err := telemetry.Register(provider, telemetry.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = registration.Unregister() }()

	mail := retry.New("mail", retry.Config{})
	tries := 0
	err = mail.Do(ctx, func(context.Context) error {
		if tries++; tries == 1 {
			return errors.New("connection reset")
		}
		return nil
	})
	_, _ = fmt.Fprintln(out, "attempts:", tries, "error:", err)

	if err := provider.Shutdown(ctx); err != nil { // flushes; in a program the reader does so each minute
		return err
	}
	for _, name := range <-received {
		_, _ = fmt.Fprintln(out, name)
	}
	return nil
}

// collect is the receiving end: it tells the names of the instruments in the first message.
func collect(received chan<- []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var request collector.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var names []string
		for _, resource := range request.GetResourceMetrics() {
			for _, scope := range resource.GetScopeMetrics() {
				for _, m := range scope.GetMetrics() {
					names = append(names, m.GetName())
				}
			}
		}
		slices.Sort(names)
		received <- names
		w.Header().Set("Content-Type", "application/x-protobuf")
	}
}
