package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// find stands for a call of a service.
func find(context.Context) error { return nil }

func ExampleNew() {
	geocoder := ratelimit.New("geocoder", ratelimit.Config{Rate: 50, MaxWait: 200 * time.Millisecond})
	cfg := geocoder.Config()
	fmt.Println(geocoder)
	fmt.Println(cfg.Rate, "per second,", cfg.Burst, "at once,", cfg.MaxWaiting, "wait for", cfg.MaxWait)
	// Output:
	// ratelimit "geocoder"
	// 50 per second, 5 at once, 1000 wait for 200ms
}

func ExampleLimiter_Do() {
	geocoder := ratelimit.New("geocoder", ratelimit.Config{Rate: 50, Registry: &seawall.Registry{}})

	err := geocoder.Do(context.Background(), find)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleLimiter_Acquire() {
	ctx := context.Background()
	uploads := ratelimit.New("uploads", ratelimit.Config{Rate: 0.1, Burst: 2, Registry: &seawall.Registry{}})

	permit, err := uploads.Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Something further in rejects the call before it begins: the token comes back, or nearly all of it.
	permit.Done(seawall.ErrRejected)

	s := uploads.Stats()
	fmt.Printf("%.1f of %d tokens, %d refunded\n", s.Tokens, s.Burst, s.Refunded)
	// Output: 2.0 of 2 tokens, 1 refunded
}

func Example_limited() {
	ctx := context.Background()
	reports := ratelimit.New("reports", ratelimit.Config{Rate: 0.001, Registry: &seawall.Registry{}})
	_ = reports.Do(ctx, find)

	err := reports.Do(ctx, find) // the second one within a thousand seconds
	if errors.Is(err, ratelimit.ErrLimited) {
		fmt.Println("come back later:", err)
	}
	if r, ok := errors.AsType[*seawall.RejectedError](err); ok {
		fmt.Println(r.Kind, r.Name, r.Reason, r.RetryAfter().Round(time.Minute))
	}
	// Output:
	// come back later: ratelimit "reports": limited, retry in 16m40s
	// ratelimit reports limited 17m0s
}

func Example_deadline() {
	geocoder := ratelimit.New("geocoder", ratelimit.Config{
		Rate: 0.001, MaxWait: time.Hour, Registry: &seawall.Registry{},
	})
	_ = geocoder.Do(context.Background(), find)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := geocoder.Do(ctx, find) // the token comes after the deadline, so nothing is waited for
	if r, ok := errors.AsType[*seawall.RejectedError](err); ok {
		fmt.Println(r.Reason)
	}
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// deadline
	// false
}

func ExampleConfig_weight() {
	type rows struct{}
	export := ratelimit.New("export", ratelimit.Config{
		Rate:  1000, // rows per second
		Burst: 5000,
		Weight: func(ctx context.Context) int {
			n, _ := ctx.Value(rows{}).(int)
			return n
		},
		Registry: &seawall.Registry{},
	})
	for range 2 {
		ctx := context.WithValue(context.Background(), rows{}, 4000)
		err := export.Do(ctx, find)
		fmt.Println(errors.Is(err, ratelimit.ErrLimited))
	}
	// Output:
	// false
	// true
}

func ExampleLimiter_Update() {
	geocoder := ratelimit.New("geocoder", ratelimit.Config{Rate: 50, Registry: quietRegistry()})

	cfg := geocoder.Config()
	cfg.Rate = 80
	fmt.Println(geocoder.Update(cfg), geocoder.Config().Rate)

	cfg.Rate = 0
	fmt.Println(geocoder.Update(cfg))
	// Output:
	// <nil> 80
	// ratelimit: Config.Rate is 0, want 0.00001 to 1000000000 per second, or Unlimited; it has no default
}

func ExampleLimiter_SetMode() {
	ctx := context.Background()
	geocoder := ratelimit.New("geocoder", ratelimit.Config{Rate: 0.001, Registry: quietRegistry()})
	_ = geocoder.SetMode(seawall.Shadow) // a rehearsal: what would this limit have rejected?
	for range 3 {
		_ = geocoder.Do(ctx, find)
	}
	s := geocoder.Stats()
	fmt.Println(s.Allowed, "allowed,", s.ShadowRejected, "of them over the limit")
	// Output: 3 allowed, 2 of them over the limit
}

func ExampleLimiter_Stats() {
	ctx := context.Background()
	geocoder := ratelimit.New("geocoder", ratelimit.Config{Rate: 0.001, Burst: 2, Registry: &seawall.Registry{}})
	for range 5 {
		_ = geocoder.Do(ctx, find)
	}
	s := geocoder.Stats()
	fmt.Println(s.Allowed, "allowed,", s.Rejected.Limited, "rejected")
	// Output: 2 allowed, 3 rejected
}

func ExampleNewGroup() {
	ctx := context.Background()
	tenants := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[string]{
		Limiter:  ratelimit.Config{Rate: 0.001, Burst: 2},
		Registry: &seawall.Registry{},
	})
	for _, tenant := range []string{"loud", "loud", "loud", "quiet"} {
		err := tenants.Do(ctx, tenant, find)
		fmt.Println(tenant, errors.Is(err, ratelimit.ErrLimited))
	}
	// Output:
	// loud false
	// loud false
	// loud true
	// quiet false
}

func ExampleGroup_For() {
	tenants := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[string]{
		Limiter:  ratelimit.Config{Rate: 10},
		Registry: &seawall.Registry{},
	})
	perTenant := func(tenant string) seawall.Policy {
		return seawall.Chain(tenants.For(tenant)) // with what else a call of the tenant goes through
	}
	fmt.Println(perTenant("acme").Do(context.Background(), find), tenants.Stats().Keys)
	// Output: <nil> 1
}

// One tenant is shut out, and the others are not.
func ExampleKeyLimiter_SetMode() {
	tenants := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[string]{
		Limiter: ratelimit.Config{Rate: 10, Burst: 10}, Label: func(tenant string) string { return tenant },
		Registry: quietRegistry(),
	})
	if err := tenants.For("acme").SetMode(seawall.ForcedOpen); err != nil {
		fmt.Println(err)
	}
	for _, tenant := range []string{"acme", "other"} {
		fmt.Println(tenants.For(tenant), tenants.Do(context.Background(), tenant, find))
	}
	// Output:
	// ratelimit "tenants[acme]" ratelimit "tenants": forced
	// ratelimit "tenants[other]" <nil>
}

func ExampleGroup_Do() {
	tenants := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[string]{
		Limiter:  ratelimit.Config{Rate: 0.001, Burst: 1},
		Registry: &seawall.Registry{},
	})
	for range 2 {
		err := tenants.Do(context.Background(), "acme", find)
		if rejection, ok := errors.AsType[*seawall.RejectedError](err); ok {
			fmt.Println(rejection.Reason, "until", rejection.RetryAfter().Round(time.Second), "from now") // HTTP 429 with Retry-After
		}
	}
	// Output: limited until 16m40s from now
}

func ExampleGroup_Update() {
	tenants := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[string]{
		Limiter: ratelimit.Config{Rate: 10}, Registry: quietRegistry(),
	})
	cfg := tenants.Config()
	cfg.Limiter.Rate = 50 // for all tenants
	fmt.Println(tenants.Update(cfg))
	cfg.MaxKeys = -1
	fmt.Println(tenants.Update(cfg))
	// Output:
	// <nil>
	// ratelimit: GroupConfig.MaxKeys is -1, want 1 to 10000000
}

func ExampleGroup_Acquire() {
	ctx := context.Background()
	sessions := ratelimit.NewGroup("sessions", ratelimit.GroupConfig[int]{
		Limiter: ratelimit.Config{Rate: 0.001}, MaxKeys: 1, Registry: &seawall.Registry{},
	})
	if permit, err := sessions.Acquire(ctx, 1); err == nil {
		defer permit.Done(nil)
	}
	_, err := sessions.Acquire(ctx, 2) // no room for another key: closed, not unlimited
	fmt.Println(err)
	// Output: ratelimit "sessions": limited, retry in 16m40s
}

func ExampleNewThrottle() {
	ctx := context.Background()
	search := ratelimit.NewThrottle("search", ratelimit.ThrottleConfig{Registry: &seawall.Registry{}})
	tooMany := func(context.Context) error { return overloaded{} } // such as HTTP 429
	for range 100 {
		_ = search.Do(ctx, tooMany)
	}
	fmt.Println(search.Stats().RejectRatio, "of the calls stay here until the search recovers")
	// Output: 0.9 of the calls stay here until the search recovers
}

func ExampleThrottle_Do() {
	ctx := context.Background()
	search := ratelimit.NewThrottle("search", ratelimit.ThrottleConfig{Registry: &seawall.Registry{}})
	err := search.Do(ctx, find)
	if errors.Is(err, ratelimit.ErrThrottled) {
		fmt.Println("not sent: the search refuses too many calls")
	}
	fmt.Println(err)
	// Output: <nil>
}

func ExampleThrottle_Acquire() {
	search := ratelimit.NewThrottle("search", ratelimit.ThrottleConfig{Registry: &seawall.Registry{}})
	permit, err := search.Acquire(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	permit.Done(overloaded{}) // how the call ended
	fmt.Println(search.Stats().Requests, "requests,", search.Stats().Accepts, "accepted")
	// Output: 1 requests, 0 accepted
}

func ExampleThrottle_Update() {
	search := ratelimit.NewThrottle("search", ratelimit.ThrottleConfig{Registry: quietRegistry()})
	fmt.Println(search.Update(ratelimit.ThrottleConfig{K: 1.5}), search.Config().K)
	fmt.Println(search.Update(ratelimit.ThrottleConfig{K: 0.5}))
	// Output:
	// <nil> 1.5
	// ratelimit: ThrottleConfig.K is 0.5, want 1.1 to 10
}

func ExampleThrottle_SetMode() {
	search := ratelimit.NewThrottle("search", ratelimit.ThrottleConfig{Registry: quietRegistry()})
	_ = search.SetMode(seawall.ForcedOpen) // nothing is to reach the search now
	fmt.Println(search.Do(context.Background(), find))
	// Output: throttle "search": forced
}
