package lifecycle_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/seawall-go/seawall/lifecycle"
)

// Run panicked for a StopTimeout that was shorter than a DrainDelay that nobody had set, and took a part without a name,
// whose error then began with a colon, and a worker without a function, which never ran. A listener that was nil, because
// nobody had looked at the error of Listen, was a panic of net/http in the middle of the run. Of two parts of one name the error
// and the report did not say which.
func TestRunRefusesWhatCannotBeMeantWithAnErrorAndStartsNothing(t *testing.T) {
	work := func(ctx context.Context) error { <-ctx.Done(); return nil }
	for _, row := range []struct {
		cfg  lifecycle.Config
		part lifecycle.Part
		want string
	}{
		{
			lifecycle.Config{StopTimeout: time.Second},
			lifecycle.Worker("w", work),
			"lifecycle: Config.StopTimeout is 1s, want more than DrainDelay, which is 5s by default: set that as well, or to NoDelay",
		},
		{lifecycle.Config{FlushTimeout: -1}, lifecycle.Worker("w", work), "lifecycle: Config.FlushTimeout is -1ns, want 1ms to 1h"},
		{lifecycle.Config{}, lifecycle.Worker("", work), "lifecycle: part 2 of 2 has no name"},
		{lifecycle.Config{}, lifecycle.Worker("first", work), `lifecycle: two parts have the name "first": nobody could tell them apart`},
		{lifecycle.Config{}, lifecycle.Worker("w", nil), `lifecycle: part "w" has no function: nothing to run, and nothing to do at the end`},
		{lifecycle.Config{}, lifecycle.HTTP("api", &http.Server{}, nil), `lifecycle: part "api" has no listener: it is nil`},
		{lifecycle.Config{}, lifecycle.HTTPS("api", &http.Server{}, nil), `lifecycle: part "api" has no listener: it is nil`},
		{lifecycle.Config{}, lifecycle.GRPC("orders", &fakeGRPC{}, nil, nil), `lifecycle: part "orders" has no listener: it is nil`},
		{lifecycle.Config{}, lifecycle.Flush("f", nil), `lifecycle: part "f" has no function: nothing to run, and nothing to do at the end`},
	} {
		started := false
		first := lifecycle.Worker("first", func(ctx context.Context) error { started = true; return work(ctx) })
		report, err := lifecycle.Run(t.Context(), row.cfg, first, row.part)
		if err == nil || err.Error() != row.want {
			t.Errorf("error %v, want %q", err, row.want)
		}
		if started || report.Cause != "" {
			t.Errorf("%q: something has started: %+v", row.want, report)
		}
	}
}
