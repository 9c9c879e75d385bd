package grpcx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/timeout"
)

// The error of a limit says how long it was: that of the call, if that has one, and the nearer of the two.
func TestTheErrorOfALimitNamesTheLimitOfTheCall(t *testing.T) {
	for _, c := range []struct {
		name           string
		total, attempt time.Duration // of the client
		callT, callA   time.Duration // of the call
		took           time.Duration
		limit          time.Duration
		ofTotal        bool
	}{
		{"the client's attempt", 9 * time.Second, 3 * time.Second, 0, 0, 3 * time.Second, 3 * time.Second, false},
		{"the client's total", 2 * time.Second, 3 * time.Second, 0, 0, 2 * time.Second, 2 * time.Second, true},
		{"the call's attempt", 9 * time.Second, 3 * time.Second, 0, time.Second, time.Second, time.Second, false},
		{"the call's total", 9 * time.Second, 3 * time.Second, 2 * time.Second, 0, 2 * time.Second, 2 * time.Second, true},
		{"an attempt without a limit", 9 * time.Second, 3 * time.Second, 0, grpcx.Off, 9 * time.Second, 9 * time.Second, true},
		{"a total of nothing", 9 * time.Second, 3 * time.Second, -5, 0, time.Millisecond, time.Millisecond, true},
		{"an attempt of nothing", 9 * time.Second, 3 * time.Second, 0, 1, time.Millisecond, time.Millisecond, false},
	} {
		for kind, run := range map[string]func(context.Context, *grpcx.Client, ...grpc.CallOption) error{
			"unary": func(ctx context.Context, client *grpcx.Client, o ...grpc.CallOption) error {
				return over(ctx, client, "/a.B/C", hang, o...)
			},
			"stream": func(ctx context.Context, client *grpcx.Client, o ...grpc.CallOption) error {
				_, err := streamOver(ctx, client, "/a.B/C", noStream(hang), o...)
				return err
			},
		} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client := grpcx.NewClient("test", with(func(cfg *grpcx.ClientConfig) {
						cfg.Timeout, cfg.AttemptTimeout, cfg.Retry.MaxAttempts = c.total, c.attempt, 1
					}))
					var options []grpc.CallOption
					if c.callT != 0 {
						options = append(options, grpcx.CallTimeout(c.callT))
					}
					if c.callA != 0 {
						options = append(options, grpcx.CallAttemptTimeout(c.callA))
					}
					start := time.Now()
					err := run(t.Context(), client, options...)
					wantCode(t, err, codes.DeadlineExceeded)
					name := "test.attempt"
					if c.ofTotal {
						name = "test.total"
					}
					limit, ok := errors.AsType[*timeout.ExceededError](err)
					if took := time.Since(start); !ok || limit.Limit != c.limit || limit.Name != name || took != c.took {
						t.Errorf("%v after %v", err, took)
					}
					wantTally(t, client, tally{Failures: 1})
				})
			})
		}
	}
}
