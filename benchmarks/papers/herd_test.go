package papers_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/seawalltest"
)

const herdSize, herdBin = 1000, 10 * time.Millisecond

var errHerd = errors.New("all fail together")

// herdPeak lets all callers fail at once and come back once, each through a Retry of its own.
func herdPeak(t *testing.T, b *book) {
	const base, seeds = time.Second, 3
	b.given(1, "and 2 and 3; %d callers fail at once and retry once, base %v, arrivals in bins of %v", herdSize, base, herdBin)
	picture := chart{title: "arrivals in 10 ms (without jitter: 1000 in one bin)", x: "seconds"}
	for _, c := range []struct {
		name    string
		cfg     retry.Config
		bins    float64 // over which the arrivals are spread
		fullest int
	}{
		{"no jitter", retry.Config{Backoff: retry.Backoff{Kind: retry.Constant, Base: base}}, 1, herdSize},
		{"full jitter", retry.Config{Backoff: retry.Backoff{Base: base}}, 100, 24},
		{"equal jitter", retry.Config{Backoff: retry.Backoff{Kind: retry.EqualJitter, Base: base}}, 50, 41},
		{"jitter ± 25 %", retry.Config{Schedule: func() backoff.BackOff { return around(base) }}, 50, 41},
	} {
		var used, fullest int
		for seed := range uint64(seeds) {
			bins := herd(t, seed+1, c.cfg)
			used = max(used, len(bins)-slices.IndexFunc(bins, func(n int) bool { return n > 0 }))
			fullest = max(fullest, slices.Max(bins))
			if seed == 0 && c.bins > 1 {
				line := curve{name: c.name}
				for at, n := range bins {
					line.points = append(line.points, point{(time.Duration(at) * herdBin).Seconds(), float64(n)})
				}
				picture.curves = append(picture.curves, line)
			}
		}
		b.near(c.name+": mean arrivals in a bin, first to last", herdSize/c.bins, herdSize/float64(used), 0)
		if c.bins == 1 {
			b.near(c.name+": arrivals in the fullest bin", herdSize, float64(fullest), 0)
		} else {
			b.atMost(c.name+": arrivals in the fullest bin", float64(c.fullest), float64(fullest))
		}
	}
	b.plot("herd.svg", picture.svg)
}

// herd returns the arrivals in each bin up to the last one.
func herd(t *testing.T, seed uint64, cfg retry.Config) []int {
	cfg.MaxAttempts, cfg.Funding, cfg.Registry = 2, retry.NoBudget, silent()
	var mu sync.Mutex
	bins := make([]int, 200)
	r := seawalltest.Run(t, seawalltest.Scenario{
		Arrivals: seawalltest.Replay(make([]time.Duration, herdSize)...),
		Client: func(*seawalltest.Env) func(context.Context) error {
			return func(ctx context.Context) error {
				failed := time.Now()
				return retry.New("herd", cfg).Do(ctx, func(ctx context.Context) error {
					if seawall.Attempt(ctx) == 1 {
						return errHerd
					}
					mu.Lock()
					defer mu.Unlock()
					bins[time.Since(failed)/herdBin]++
					return nil
				})
			}
		},
		Duration: 1500 * time.Millisecond, Bin: herdBin, Seed: seed,
	})
	if r.Totals.Good != herdSize {
		t.Errorf("%d of %d callers came back", r.Totals.Good, herdSize)
	}
	for len(bins) > 0 && bins[len(bins)-1] == 0 {
		bins = bins[:len(bins)-1]
	}
	return bins
}

// around is a schedule of a time ± 25 %, which is Polly's jitter of constant waits. Our own laws do not have it.
type around time.Duration

func (around) Reset() {}
func (a around) NextBackOff() time.Duration {
	return time.Duration(float64(a) * (0.75 + 0.5*dice.Float64()))
}
