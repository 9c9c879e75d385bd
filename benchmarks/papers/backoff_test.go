package papers_test

import (
	"flag"
	"fmt"
	"math"
	"testing"

	"github.com/seawall-go/seawall/internal/dice"
)

var record = flag.Bool("record", false, "write testdata/backoff.csv anew, from the article's formulas")

const backoffFixture = "testdata/backoff.csv"

// occClients are the numbers of clients.
var occClients = func() (all []int) {
	for n := 10; n <= 190; n += 10 {
		all = append(all, n)
	}
	return all
}()

// backoffJitter is what the article says about backoff and jitter.
func backoffJitter(t *testing.T, b *book) {
	const seed = 1
	clients := brief([]int{10, 40, 100}, occClients)
	runs := brief(40, 100)
	b.given(seed, "%d runs each of %d numbers of clients from %d to %d; hops |N(10, 2)| ms, base 5 ms, cap 2 s",
		runs, len(clients), clients[0], clients[len(clients)-1])
	defer dice.Load(seed)()

	reference, err := readFixture(backoffFixture)
	if err != nil {
		t.Fatal(err)
	}
	ours := fixture{}
	for _, law := range []string{none, expo, equal, full, decorrelated} {
		for _, n := range clients {
			ours.put(law, n, occEffort(n, runs, seed, schedules[law]))
		}
	}
	at := func(law string) effort { return ours[law][100] }
	b.atMost("N = 100: writes of full jitter by those of the exponential law", 0.50, at(full).writes/at(expo).writes)
	b.atMost("N = 100: writes of full jitter by those of decorrelated", 1, at(full).writes/at(decorrelated).writes)
	b.atLeast("N = 100: writes of equal jitter by those of full", 1, at(equal).writes/at(full).writes)
	b.atLeast("N = 100: time of equal jitter by that of full", 1, at(equal).seconds/at(full).seconds)
	b.atMost("N = 100: time of decorrelated by that of full", 1.15, at(decorrelated).seconds/at(full).seconds)
	b.atLeast("N = 100: time of the exponential law by the longest with jitter", 1,
		at(expo).seconds/max(at(equal).seconds, at(full).seconds, at(decorrelated).seconds))
	furthestTime := 0.0
	for _, law := range []string{none, expo, equal, full, decorrelated} {
		var furthest, want, got float64
		for _, n := range clients {
			furthest = max(furthest, math.Abs(ours[law][n].writes/reference[law][n].writes-1))
			furthestTime = max(furthestTime, math.Abs(ours[law][n].seconds/reference[law][n].seconds-1))
			want, got = want+reference[law][n].seconds, got+ours[law][n].seconds
		}
		b.atMost(law+": writes, furthest from the fixture at any N", 0.05, furthest)
		b.near(law+": time for N = 100, s", reference[law][100].seconds, at(law).seconds, 0.05)
		b.near(law+": time, sum over all N, s", want, got, 0.05)
	}
	b.beside("time, furthest from the fixture of any law at any N, %", number(100*furthestTime),
		"with few clients the last one is a matter of luck: for N = 20 the standard error of 100 runs is 2.8 %")
	published := reference[decorArticle][100]
	b.near("N = 100: writes, our decorrelated law and the published one", published.writes, at(decorrelated).writes, 0.03)
	b.note(fmt.Sprintf("ours draws again where the published law waits exactly the cap; it takes %.2f s, the published law %.2f s",
		at(decorrelated).seconds, published.seconds))
	peer := occEffort(100, runs, seed, cenkalti)
	b.beside("N = 100: package backoff, ±50 %: writes; time, s", fmt.Sprintf("%.0f; %.2f", peer.writes, peer.seconds),
		fmt.Sprintf("full jitter: %.0f; %.2f. Its randomness has no seed", at(full).writes, at(full).seconds))
	if len(clients) == len(occClients) {
		growth(b, reference, ours)
	}
	backoffPlots(b, ours)
}

// growth compares how writes grow with the number of clients: the slope of their logarithms.
func growth(b *book, reference, ours fixture) {
	slope := func(f fixture, law string) float64 {
		var x, y []float64
		for _, n := range occClients {
			if n >= 40 {
				x, y = append(x, math.Log(float64(n))), append(y, math.Log(f[law][n].writes))
			}
		}
		return regression(x, y)
	}
	for _, law := range []string{full, expo, none} {
		want, got := slope(reference, law), slope(ours, law)
		b.near(law+": exponent of the growth of writes, N = 40 … 190", want, got, 0.03)
		if law == full {
			b.note("expected is the fixture's: the article says about N², but its own model gives that to no law")
		}
	}
	b.beside("N = 190: writes of equal jitter by those of full", number(ours[equal][190].writes/ours[full][190].writes),
		"that equal jitter does more work does not hold for so many clients")
}

// regression returns the slope of the line through points that has the least squares.
func regression(x, y []float64) float64 {
	n, sx, sy, sxx, sxy := float64(len(x)), 0.0, 0.0, 0.0, 0.0
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

func backoffPlots(b *book, ours fixture) {
	of := func(laws []string, value func(effort) float64) (lines []curve) {
		for _, law := range laws {
			c := curve{name: law}
			for _, n := range occClients {
				if e, ok := ours[law][n]; ok {
					c.points = append(c.points, point{float64(n), value(e)})
				}
			}
			lines = append(lines, c)
		}
		return lines
	}
	writes := chart{title: "writes until all clients have succeeded", x: "clients"}
	writes.curves = of([]string{none, expo, equal, full, decorrelated}, func(e effort) float64 { return e.writes })
	b.plot("backoff-writes.svg", writes.svg)
	seconds := chart{title: "seconds until all clients have succeeded", x: "clients"}
	seconds.curves = of([]string{expo, equal, full, decorrelated}, func(e effort) float64 { return e.seconds })
	b.plot("backoff-time.svg", seconds.svg)
	b.plot("backoff.csv", ours.write)
}

// TestFixtureIsWhatTheArticlesFormulasGive records it anew with -record: in more runs than it is compared in, and with
// another seed.
func TestFixtureIsWhatTheArticlesFormulasGive(t *testing.T) {
	recorded := fixture{}
	if *record {
		for law, of := range formulas {
			for _, n := range occClients {
				recorded.put(law, n, occEffort(n, 1000, 2015, of))
			}
		}
		writeFile(t, backoffFixture, recorded.write)
	}
	recorded, err := readFixture(backoffFixture)
	if err != nil {
		t.Fatal(err)
	}
	for law, of := range formulas {
		const clients = 50
		got, want := occEffort(clients, 40, 1, of), recorded[law][clients]
		if math.Abs(got.writes/want.writes-1) > 0.05 {
			t.Errorf("%s: the fixture has %.0f writes for %d clients, and the formula gives %.0f", law, want.writes, clients, got.writes)
		}
		for _, n := range occClients {
			if recorded[law][n] == (effort{}) {
				t.Errorf("%s: the fixture has nothing for %d clients", law, n)
			}
		}
	}
}
