package retry_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

func FuzzTextOfKindAndFunding(f *testing.F) {
	for _, k := range kinds() {
		f.Add(k.String())
	}
	f.Add(retry.NoBudget.String())
	f.Add("Full_Jitter")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		k := retry.Constant
		switch err := k.UnmarshalText([]byte(text)); {
		case err == nil && k.String() != text:
			t.Errorf("%q was read as %v", text, k)
		case err != nil && k != retry.Constant:
			t.Errorf("a refused %q left %v", text, k)
		}
		g := retry.NoBudget
		switch err := g.UnmarshalText([]byte(text)); {
		case err == nil && g.String() != text:
			t.Errorf("%q was read as %v", text, g)
		case err != nil && g != retry.NoBudget:
			t.Errorf("a refused %q left %v", text, g)
		}
	})
}

// Whatever Validate lets pass makes waits within the bounds, at any attempt.
func FuzzBackoffStaysWithinItsBounds(f *testing.F) {
	f.Add(uint8(0), int64(0), int64(0), 0.0, uint64(1), int64(1))
	f.Add(uint8(2), int64(1), int64(math.MaxInt64), 100.0, uint64(2), int64(1<<31))
	f.Add(uint8(1), int64(math.MaxInt64), int64(0), 1.0, uint64(3), int64(64))
	f.Add(uint8(3), int64(7), int64(9), math.NaN(), uint64(4), int64(2))
	f.Fuzz(func(t *testing.T, kind uint8, base, limit int64, factor float64, seed uint64, n int64) {
		b := retry.Backoff{Kind: retry.Kind(kind), Base: time.Duration(base), Max: time.Duration(limit), Factor: factor}
		if b.Validate() != nil {
			return
		}
		highest := b.Max
		if highest == 0 {
			highest = max(5*time.Second, b.Base)
		}
		for _, s := range []interface{ NextBackOff() time.Duration }{b.Seeded(seed), b.SeededAt(seed, max(1, n))} {
			for range 5 {
				if wait := s.NextBackOff(); wait < 0 || wait > highest {
					t.Errorf("%+v: a wait of %v", b, wait)
				}
			}
		}
	})
}

// Whatever a file holds is refused, or makes a Retry that works and reads back as the same.
func FuzzConfigFromJSON(f *testing.F) {
	f.Add(`{}`)
	f.Add(`{"max_attempts": 4, "backoff": {"kind": "equal_jitter", "base": 1000000}, "funding": "none"}`)
	f.Add(`{"max_attempts": -1, "overload_delay": -1, "budget": {"ratio": 0.2, "burst": 3}}`)
	f.Add(`{"max_retry_after": 9223372036854775807, "backoff": {"max": 1, "base": 2, "factor": 1e300}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var cfg retry.Config
		if json.Unmarshal([]byte(text), &cfg) != nil || cfg.Validate() != nil {
			return
		}
		cfg.Registry = new(seawall.Registry)
		r := retry.New("fuzzed", cfg)
		if !r.Config().Equal(cfg) {
			t.Errorf("%s made %+v", text, r.Config())
		}
		file, err := json.Marshal(r.Config())
		if err != nil {
			t.Fatal(err)
		}
		var back retry.Config
		if err := json.Unmarshal(file, &back); err != nil || !back.Equal(cfg) {
			t.Errorf("%s came back as %+v, %v", file, back, err)
		}
		if err := r.Update(r.Config()); err != nil {
			t.Errorf("a Config that was read back is refused: %v", err)
		}
	})
}
