package seawall_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
)

// T70
func TestRejectionSaysWhoWhyAndUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errOther := errors.New("full") // the same text
		r := seawall.Reject("breaker", "payments", seawall.ReasonOpen, errFull, 1200*time.Millisecond)
		wrapped := fmt.Errorf("charge: %w", r)
		if !errors.Is(wrapped, seawall.ErrRejected) || !errors.Is(wrapped, errFull) || errors.Is(wrapped, errOther) {
			t.Error("it matches the wrong sentinels")
		}
		if errors.Is(r, nil) {
			t.Error("it matches nil")
		}
		details, ok := errors.AsType[*seawall.RejectedError](wrapped)
		if !ok || details.Kind != "breaker" || details.Name != "payments" || details.Reason != seawall.ReasonOpen {
			t.Errorf("the details are %+v", details)
		}
		for _, c := range []struct {
			wait time.Duration
			left time.Duration
			text string
		}{
			{0, 1200 * time.Millisecond, `breaker "payments": open, retry in 1.2s`},
			{200 * time.Millisecond, time.Second, `breaker "payments": open, retry in 1s`},
			{999*time.Millisecond + 500*time.Microsecond, 500 * time.Microsecond, `breaker "payments": open, retry in 500µs`},
			{500*time.Microsecond - 1, 1, `breaker "payments": open, retry in 1ns`},
			{1, 0, `breaker "payments": open`},
			{time.Hour, 0, `breaker "payments": open`},
		} {
			time.Sleep(c.wait)
			if r.RetryAfter() != c.left || r.Error() != c.text {
				t.Errorf("%v are left, and it says %q; want %v and %q", r.RetryAfter(), r, c.left, c.text)
			}
		}
	})
}

func TestRejectionWithoutATimeSaysNone(t *testing.T) {
	for _, after := range []time.Duration{0, -1, math.MinInt64} {
		r := seawall.Reject("bulkhead", `odd "name"`, seawall.ReasonFull, errFull, after)
		if r.RetryAfter() != 0 || r.Error() != `bulkhead "odd \"name\"": full` {
			t.Errorf("it says %q, and %v are left", r, r.RetryAfter())
		}
		if v := r.Verdict(); v != (seawall.Verdict{Outcome: seawall.Ignored}) {
			t.Errorf("it is judged %+v", v)
		}
	}
}

// A time is at most three digits long in the text, and never shorter than it is.
func TestRejectionRoundsItsTimeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[time.Duration]string{
			1: "1ns", 999: "999ns", 1000: "1µs", 1001: "1.01µs", 1234 * time.Microsecond: "1.24ms", 9999 * time.Millisecond: "10s",
			time.Second: "1s", time.Second + 1: "1.01s", 59999 * time.Millisecond: "1m0s", 61234 * time.Millisecond: "1m1.3s",
			time.Hour: "1h0m0s", 24 * time.Hour: "24h0m0s",
		} {
			text := seawall.Reject("k", "n", "r", errFull, after).Error()
			if text != `k "n": r, retry in `+want {
				t.Errorf("%v: %q, want %s", after, text, want)
			}
		}
	})
}

// T43: Error once did not return for waits of centuries.
func TestRejectionForEverIsForEver(t *testing.T) {
	outside := seawall.Reject("breaker", "payments", seawall.ReasonOpen, errFull, math.MaxInt64)
	check := func(r *seawall.RejectedError) {
		t.Helper()
		text := make(chan string, 1)
		go func() { text <- r.Error() }()
		select {
		case got := <-text:
			if got == `breaker "payments": open` {
				t.Error("the time is lost in the text")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no text for 10 seconds")
		}
		if left := r.RetryAfter(); left < 290*365*24*time.Hour {
			t.Errorf("%v are left", left)
		}
	}
	check(outside)
	synctest.Test(t, func(t *testing.T) { // where readings of the clock are negative
		check(seawall.Reject("breaker", "payments", seawall.ReasonOpen, errFull, math.MaxInt64))
	})
}

// FuzzRejection checks that the text of a rejection is never shorter than its time, for any time.
func FuzzRejection(f *testing.F) {
	for _, d := range []int64{-1, 0, 1, 999, 1000, 1001, 1e9, 1e18, 9_999_999_999, math.MaxInt64, math.MaxInt64 - 1} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, d int64) {
		synctest.Test(t, func(t *testing.T) {
			r := seawall.Reject("k", "n", "r", errFull, time.Duration(d))
			if got := r.RetryAfter(); got != max(0, time.Duration(d)) {
				t.Errorf("%v are left of %v", got, time.Duration(d))
			}
			if d <= 0 {
				return
			}
			var told string
			if _, err := fmt.Sscanf(r.Error(), `k "n": r, retry in %s`, &told); err != nil {
				t.Fatal(err)
			}
			got, err := time.ParseDuration(told)
			if err != nil || got < time.Duration(d) || float64(got) > float64(d)*1.011 {
				t.Errorf("%v is told as %q", time.Duration(d), told)
			}
		})
	})
}
