package papers_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/seawall-go/seawall/retry"
)

// The article's numbers, in milliseconds.
const backoffBase, backoffCap = 5.0, 2000.0

// The laws by the names that the fixture has for them. The article's decorrelated jitter gathers at the cap; ours draws
// again there.
const (
	none, expo, equal, full    = "none", "exponential", "equal", "full"
	decorrelated, decorArticle = "decorrelated", "decorrelated as published"
)

// formulas are the laws as the article writes them, in plain arithmetic: what the fixture was recorded with. n counts
// from 1, so that its first v is twice the base.
var formulas = map[string]law{
	none: func(*rand.Rand) func() float64 { return func() float64 { return 0 } },
	expo: grown(func(_ *rand.Rand, v float64) float64 { return v }),
	equal: grown(func(random *rand.Rand, v float64) float64 {
		return v/2 + v/2*random.Float64()
	}),
	full: grown(func(random *rand.Rand, v float64) float64 { return v * random.Float64() }),
	decorArticle: func(random *rand.Rand) func() float64 {
		s := backoffBase
		return func() float64 {
			s = min(backoffCap, backoffBase+(3*s-backoffBase)*random.Float64())
			return s
		}
	},
	decorrelated: func(random *rand.Rand) func() float64 {
		s := backoffBase
		return func() float64 {
			s = min(backoffCap, backoffBase+(3*s-backoffBase)*random.Float64())
			if s == backoffCap {
				return backoffBase + (backoffCap-backoffBase)*random.Float64()
			}
			return s
		}
	},
}

func grown(jitter func(random *rand.Rand, v float64) float64) law {
	return func(random *rand.Rand) func() float64 {
		n := 0.0
		return func() float64 {
			n++
			return jitter(random, min(backoffCap, backoffBase*math.Pow(2, n)))
		}
	}
}

// schedules are the laws of package retry. Ours grow from their base, the article's from twice its own; the decorrelated
// one starts from the base in both.
var schedules = map[string]law{
	none:         scheduled(retry.Backoff{Kind: retry.Immediate}),
	expo:         scheduled(retry.Backoff{Kind: retry.Exponential, Base: 2 * milliseconds(backoffBase)}),
	equal:        scheduled(retry.Backoff{Kind: retry.EqualJitter, Base: 2 * milliseconds(backoffBase)}),
	full:         scheduled(retry.Backoff{Kind: retry.FullJitter, Base: 2 * milliseconds(backoffBase)}),
	decorrelated: scheduled(retry.Backoff{Kind: retry.DecorrelatedJitter, Base: milliseconds(backoffBase)}),
}

func scheduled(b retry.Backoff) law {
	b.Max = milliseconds(backoffCap)
	return func(*rand.Rand) func() float64 { return waits(b.New()) } // by the dice, which are loaded
}

func waits(s backoff.BackOff) func() float64 {
	return func() float64 { return float64(s.NextBackOff()) / float64(time.Millisecond) }
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// cenkalti is the schedule of package backoff with the article's growth, and the ±50 % that are its default.
func cenkalti(*rand.Rand) func() float64 {
	return waits(backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(2*milliseconds(backoffBase)), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(milliseconds(backoffCap)), backoff.WithMaxElapsedTime(0),
	))
}

// fixture is what laws needed, by law and number of clients.
type fixture map[string]map[int]effort

func (f fixture) put(law string, clients int, e effort) {
	if f[law] == nil {
		f[law] = map[int]effort{}
	}
	f[law][clients] = e
}

func (f fixture) write(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"law", "clients", "writes", "seconds"}}
	for _, law := range []string{none, expo, equal, full, decorrelated, decorArticle} {
		for _, n := range occClients {
			if e, ok := f[law][n]; ok {
				rows = append(rows, []string{law, strconv.Itoa(n), fmt.Sprintf("%.2f", e.writes), fmt.Sprintf("%.4f", e.seconds)})
			}
		}
	}
	return out.WriteAll(rows)
}

func readFixture(name string) (fixture, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, err
	}
	f := fixture{}
	for _, row := range rows[1:] {
		clients, err1 := strconv.Atoi(row[1])
		writes, err2 := strconv.ParseFloat(row[2], 64)
		seconds, err3 := strconv.ParseFloat(row[3], 64)
		if err1 != nil || err2 != nil || err3 != nil {
			return nil, fmt.Errorf("%s: bad row %q", name, row)
		}
		f.put(row[0], clients, effort{writes, seconds})
	}
	return f, nil
}
