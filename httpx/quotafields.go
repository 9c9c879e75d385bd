package httpx

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/seawall-go/seawall/ratelimit"
)

// XRateLimit says which meaning the X-RateLimit-Reset of a quota has. There is no standard for these fields, and their
// reset means a different thing with each service; new clients read RateLimit.
type XRateLimit uint8

const (
	// NoXRateLimit sends none of them.
	NoXRateLimit XRateLimit = iota
	// XRateLimitSeconds has the seconds from now.
	XRateLimitSeconds
	// XRateLimitUnix has the seconds since 1970.
	XRateLimitUnix
)

var xRateLimitNames = [...]string{"none", "seconds", "unix"}

// String returns "none", "seconds" or "unix".
func (x XRateLimit) String() string {
	if int(x) < len(xRateLimitNames) {
		return xRateLimitNames[x]
	}
	return fmt.Sprintf("XRateLimit(%d)", uint8(x))
}

// MarshalText returns the form of String, for configuration files.
func (x XRateLimit) MarshalText() ([]byte, error) {
	if int(x) >= len(xRateLimitNames) {
		return nil, fmt.Errorf("httpx: no such XRateLimit: %d", uint8(x))
	}
	return []byte(xRateLimitNames[x]), nil
}

// UnmarshalText reads the form of String.
func (x *XRateLimit) UnmarshalText(text []byte) error {
	for i, name := range xRateLimitNames {
		if string(text) == name {
			*x = XRateLimit(i)
			return nil
		}
	}
	return fmt.Errorf("httpx: no such XRateLimit: %q, want one of %q", text, xRateLimitNames)
}

const (
	fieldRateLimit       = "Ratelimit"
	fieldRateLimitPolicy = "Ratelimit-Policy"
)

// quotaFields tells a client about its quota.
type quotaFields struct {
	rate   float64
	burst  float64
	policy string // the member of RateLimit-Policy
	name   string // the quota's, as a structured field has it
	quota  string // q of the policy
	x      XRateLimit
}

// newQuotaFields prepares what does not change, of a name that Validate has seen and a limit with its defaults.
func newQuotaFields(name string, limit ratelimit.Config, x XRateLimit) *quotaFields {
	f := &quotaFields{rate: limit.Rate, burst: float64(limit.Burst), x: x}
	if f.rate == ratelimit.Unlimited {
		return f
	}
	window := max(1, math.Ceil(f.burst/f.rate))
	quota := max(f.burst, math.Floor(f.rate*window))
	item := httpsfv.NewItem(name)
	f.name, _ = httpsfv.Marshal(item)
	item.Params.Add("q", int64(quota))
	item.Params.Add("w", int64(window))
	f.policy, _ = httpsfv.Marshal(httpsfv.List{item})
	f.quota = strconv.FormatInt(int64(quota), 10)
	return f
}

// tell adds the fields to a header. tokens is what the client's bucket holds.
func (f *quotaFields) tell(h http.Header, tokens float64) {
	if f.rate == ratelimit.Unlimited {
		return
	}
	left := math.Floor(max(0, tokens))
	seconds := func(missing float64) int64 { return int64(math.Ceil(missing / f.rate)) }
	next := seconds(left + 1 - tokens)
	item := make([]byte, 0, 64)
	item = append(append(item, f.name...), ";r="...)
	item = strconv.AppendInt(item, int64(left), 10)
	if left < f.burst { // else there is no more to come
		item = strconv.AppendInt(append(item, ";t="...), next, 10)
	}
	h[fieldRateLimitPolicy] = append(h[fieldRateLimitPolicy], f.policy)
	h[fieldRateLimit] = append(h[fieldRateLimit], string(item))
	if f.x == NoXRateLimit {
		return
	}
	reset := next
	if left > 0 { // most of those who read it take it for the time when all is there again
		reset = seconds(max(0, f.burst-tokens))
	}
	if f.x == XRateLimitUnix {
		reset += time.Now().Unix()
	}
	h.Set("X-RateLimit-Limit", f.quota)
	h.Set("X-RateLimit-Remaining", strconv.FormatInt(int64(left), 10))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset, 10))
}
