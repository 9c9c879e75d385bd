package papers_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/seawalltest"
)

// Adaptive limits before a server of 30 workers that take 100 ms on average, so that 30 is the best number in flight.
const (
	adaptiveSeed    = 1
	adaptiveWorkers = 30
	adaptiveRoom    = 300.0 // calls per second
	bandLow         = 27.0
	bandHigh        = 45.0
	workersLost     = time.Minute // in case (d)
	workersBack     = 2 * time.Minute
)

// A workLaw is how long the work on a call takes.
type workLaw struct {
	name string
	work seawalltest.Distribution
	p99  time.Duration
}

const meanWork = 100 * time.Millisecond

// lognormalSigma is the deviation of the logarithm.
const lognormalSigma = 0.5

var workLaws = []workLaw{
	{"fixed", seawalltest.Fixed(meanWork), meanWork},
	{"exponential", seawalltest.Exponential(meanWork), ofMeanWork(math.Log(100))},
	{
		"lognormal", seawalltest.LogNormal(ofMeanWork(math.Exp(-lognormalSigma*lognormalSigma/2)), lognormalSigma),
		ofMeanWork(math.Exp(2.3263*lognormalSigma - lognormalSigma*lognormalSigma/2)),
	},
}

func ofMeanWork(factor float64) time.Duration { return time.Duration(factor * float64(meanWork)) }

func staff(workers int) func(time.Duration) int { return func(time.Duration) int { return workers } }

// overloaded is case (a): twice as many calls as the workers can serve.
func overloaded(work seawalltest.Distribution, length time.Duration) crowd {
	return crowd{length: length, rate: 2 * adaptiveRoom, workers: staff(adaptiveWorkers), work: work}
}

// timedOut is case (b): every call ends at exactly a second, as a timeout, from some time on.
func timedOut(from, length time.Duration) crowd {
	c := overloaded(workLaws[0].work, length)
	c.bypass = func(now time.Duration, _ *rand.Rand) (time.Duration, error) {
		if now < from {
			return 0, nil
		}
		return time.Second, context.DeadlineExceeded
	}
	return c
}

// pushedBack is case (c): a fifth is rejected in a millisecond, and the others never wait.
func pushedBack(length time.Duration) crowd {
	return crowd{
		length: length, rate: 1500, workers: staff(math.MaxInt), work: workLaws[0].work,
		bypass: func(_ time.Duration, random *rand.Rand) (time.Duration, error) {
			if random.Float64() < 0.2 {
				return time.Millisecond, errBusy{}
			}
			return 0, nil
		},
	}
}

// halved is case (d): half of the workers go for a minute.
func halved(work seawalltest.Distribution) crowd {
	c := overloaded(work, 3*time.Minute)
	c.workers = func(now time.Duration) int {
		if now >= workersLost && now < workersBack {
			return adaptiveWorkers / 2
		}
		return adaptiveWorkers
	}
	return c
}

// contender is a limiter of the table, and its lowest limit.
type contender struct {
	name  string
	floor int
	make  func(*rand.Rand) limiter
}

func plainly(make func() limiter) func(*rand.Rand) limiter {
	return func(*rand.Rand) limiter { return make() }
}

var contenders = []contender{
	{"Seawall's default", 1, plainly(defaultLimiter)},
	{"Seawall's AIMD", 1, plainly(aimdLimiter)},
	{"failsafe-go", 1, plainly(newFailsafeLimiter)},
	{"Vegas", 1, newVegas},
	{"Gradient2", 20, plainly(newGradient2)},
	{"Netflix's AIMD", 20, plainly(newNetflixAIMD)},
	{"Envoy", 3, newEnvoy},
}

// sent is what becomes of a crowd at a limiter.
func (c contender) sent(t *testing.T, seed uint64, cr crowd) (out *course) {
	t.Helper()
	defer dice.Load(seed)()
	synctest.Test(t, func(*testing.T) { out = cr.through(c.make(rand.New(rand.NewPCG(seed, 383))), seed) })
	return out
}

func adaptiveConcurrency(t *testing.T, b *book) {
	b.given(adaptiveSeed, "%d workers, %v each on average, 600 calls/s; a limit without a queue before them", adaptiveWorkers, meanWork)
	adaptiveOverload(t, b)
	adaptiveDrops(t, b)
	adaptiveWorkersLost(t, b)
	adaptiveQueue(t, b)
	if !testing.Short() && !raceEnabled {
		adaptiveOthers(t, b)
	}
}

func adaptiveSeeds() uint64 { return brief[uint64](1, 3) }

// adaptiveOverload is case (a) for ours. What counts is the worst of the seeds.
func adaptiveOverload(t *testing.T, b *book) {
	length := brief(2*time.Minute, 10*time.Minute)
	start := brief(20*time.Second, 0) // a tenth of the short run would be the way up from 20
	for _, l := range workLaws {
		band, goodput, slower := 1.0, math.Inf(1), 0.0
		for seed := range adaptiveSeeds() {
			c := contenders[0].sent(t, adaptiveSeed+seed, overloaded(l.work, length))
			band = min(band, share(c.between(start, length), bandLow, bandHigh))
			goodput = min(goodput, c.goodput(0, length)/adaptiveRoom)
			slower = max(slower, float64(c.p99())/float64(l.p99))
		}
		in := fmt.Sprintf("(a) twice the capacity for %v, %s, worst of %d seeds: Seawall's default: ", length, l.name, adaptiveSeeds())
		b.atLeast(in+"share of the time with a limit of 27 to 45", 0.95, band)
		b.atLeast(in+"goodput by capacity", 0.95, goodput)
		b.atMost(in+"p99 by that without load", 2, slower)
	}
}

// adaptiveDrops are the cases (b) and (c) for ours.
func adaptiveDrops(t *testing.T, b *book) {
	for _, healthy := range []time.Duration{0, 30 * time.Second} {
		c := contenders[0].sent(t, adaptiveSeed, timedOut(healthy, healthy+3*time.Minute))
		in := fmt.Sprintf("(b) all time out after %v: Seawall's default: ", healthy)
		b.atMost(in+"windows until the limit is 1", 20, float64(c.falls(healthy, 1)))
		b.beside(in+"s until then", number(c.until(healthy, 1, 1).Seconds()), "a window lasts until 20 calls have ended")
		b.atMost(in+"limit in the last minute", 1, float64(maxLimit(c, healthy+2*time.Minute)))
	}
	c := contenders[0].sent(t, adaptiveSeed, pushedBack(2*time.Minute))
	b.atMost("(c) a fifth is pushed back: Seawall's default: highest limit, from 20", 20, float64(maxLimit(c, 0)))
	b.beside("(c) a fifth is pushed back: Seawall's default: limit in the last minute", number(average(c.between(time.Minute, 2*time.Minute))),
		"on average; they are pushed back however few there are")
}

func maxLimit(c *course, from time.Duration) int {
	_, high := c.bounds(from, c.length)
	return high
}

// adaptiveWorkersLost is case (d) for ours.
func adaptiveWorkersLost(t *testing.T, b *book) {
	const half = adaptiveWorkers / 2
	for _, l := range workLaws {
		down, up, low, high := time.Duration(0), time.Duration(0), math.Inf(1), 0.0
		for seed := range adaptiveSeeds() {
			c := contenders[0].sent(t, adaptiveSeed+seed, halved(l.work))
			down = max(down, c.settled(workersLost, 0.9*half, 1.1*half))
			up = max(up, c.settled(workersBack, bandLow, bandHigh))
			mean := average(c.between(workersLost+10*time.Second, workersBack))
			low, high = min(low, mean), max(high, mean)
		}
		in := fmt.Sprintf("(d) 30, 15 and 30 workers, %s, worst of %d seeds: Seawall's default: ", l.name, adaptiveSeeds())
		b.atMost(in+"s until within 10 % of 15", 10, down.Seconds())
		b.atMost(in+"s until back within 27 to 45", 20, up.Seconds())
		b.beside(in+"limit from 10 s on", fmt.Sprintf("%.1f to %.1f", low, high), "on average")
	}
}

// adaptiveQueue is case (a) with ours as it comes, with a queue of 20 places: what callers see.
func adaptiveQueue(t *testing.T, b *book) {
	length := brief(30*time.Second, time.Minute)
	r := seawalltest.Run(t, seawalltest.Scenario{
		Arrivals: seawalltest.Poisson(seawalltest.Constant(2 * adaptiveRoom)),
		Client:   seawalltest.Policy(func() seawall.Policy { return seawall.Chain() }),
		Server:   defaultServer,
		Dependency: seawalltest.Dependency{
			Workers: adaptiveWorkers, Service: workLaws[0].work,
		},
		Duration: length,
	})
	b.atMost("(a) with the queue that comes with it, fixed: Seawall's default: p99 by that without load", 2,
		float64(r.LatencyBetween(10*time.Second, length, 0.99))/float64(meanWork))
}

// settled is how long it takes from a time on until the limit is within bounds, and then is so on the average of five
// seconds; the rest of the course if it never is. A limit that is lowered for a moment, for a measurement, is none that
// has been found.
func (c *course) settled(from time.Duration, low, high float64) time.Duration {
	const steady = 5 * time.Second
	for at := from; at+steady <= c.length; at += courseStep {
		now, mean := c.between(at, at+courseStep), average(c.between(at, at+steady))
		if share(now, low, high) == 1 && mean >= low && mean <= high {
			return at - from
		}
	}
	return c.length - from
}

// performance is what one contender did in all cases.
type performance struct {
	contender
	even, varied          *course // (a), fixed and exponential
	timedOut, pushed, few *course
}

// adaptiveOthers plays all cases with all limiters, and looks whether those of the others do what follows from their
// rules.
func adaptiveOthers(t *testing.T, b *book) {
	const long = 10 * time.Minute
	records := map[string]performance{}
	var all []performance
	for _, c := range contenders {
		r := performance{
			c, c.sent(t, adaptiveSeed, overloaded(workLaws[0].work, long)),
			c.sent(t, adaptiveSeed, overloaded(workLaws[1].work, long)),
			c.sent(t, adaptiveSeed, timedOut(0, 4*time.Minute)),
			c.sent(t, adaptiveSeed, pushedBack(2*time.Minute)),
			c.sent(t, adaptiveSeed, halved(workLaws[0].work)),
		}
		records[c.name] = r
		all = append(all, r)
		for _, of := range []struct {
			law string
			c   *course
		}{{"fixed", r.even}, {"exponential", r.varied}} {
			if c.name != contenders[0].name {
				b.beside(fmt.Sprintf("(a) twice the capacity for %v, %s: %s: share within 27 to 45; goodput by capacity", long, of.law, c.name),
					fmt.Sprintf("%.2f; %.2f", share(of.c.limits, bandLow, bandHigh), of.c.goodput(0, long)/adaptiveRoom), "")
			}
		}
	}
	vegasDrift(b)
	b.beside("(a) Vegas: limit in 10 minutes", span(records["Vegas"].even, 0, long),
		"no drift: a probe adds 6 for each call of a round trip, not for one; the limit swings, and each low shows the latency without load")
	g := contenders[4].sent(t, adaptiveSeed, overloaded(workLaws[0].work, 20*time.Minute))
	b.near("(a) Gradient2: min until the limit is 200", 15, g.until(0, 200, 200).Minutes(), 0.15)
	e := records["Envoy"].even
	b.near("(a) Envoy: mean limit of the last minute by that of the second", 1,
		average(e.between(9*time.Minute, long))/average(e.between(time.Minute, 2*time.Minute)), 0.1)
	b.note("it does not drift; it swings, because it moves once in a round trip")
	b.near("(b) Gradient2: limit in the end", 200, float64(maxLimit(records["Gradient2"].timedOut, 239*time.Second)), 0.001)
	b.atLeast("(c) Gradient2: highest limit, from 20", 100, float64(maxLimit(records["Gradient2"].pushed, 0)))
	b.plot("adaptive.md", func(w io.Writer) error { return evidence(w, all) })
	for _, p := range []struct {
		name, title string
		of          func(performance) *course
	}{
		{"adaptive-overload.svg", "limit at twice the capacity of 30 workers, fixed; cut off at 150", func(r performance) *course { return r.even }},
		{"adaptive-exponential.svg", "limit at twice the capacity of 30 workers, exponential; cut off at 150", func(r performance) *course { return r.varied }},
		{"adaptive-timeouts.svg", "limit while all calls time out; cut off at 150", func(r performance) *course { return r.timedOut }},
		{"adaptive-pushback.svg", "limit while a fifth is pushed back; cut off at 150", func(r performance) *course { return r.pushed }},
		{"adaptive-workers.svg", "limit with 30, 15 and 30 workers; cut off at 150", func(r performance) *course { return r.few }},
	} {
		picture := chart{title: p.title, x: "s"}
		for _, r := range all {
			picture.curves = append(picture.curves, curve{r.name, p.of(r).points(150)})
		}
		b.plot(p.name, picture.svg)
	}
}

func span(c *course, from, to time.Duration) string {
	low, high := c.bounds(from, to)
	return fmt.Sprintf("%d to %d", low, high)
}

// vegasDrift is Vegas before a server whose latency follows the limit at once, as the derivation of its drift has it.
func vegasDrift(b *book) {
	v := &vegas{random: rand.New(rand.NewPCG(adaptiveSeed, 384)), l: 20}
	v.probed()
	var now float64
	for _, want := range []struct{ at, limit float64 }{{56, 100}, {120, 175}, {600, 430}} {
		for ; now < want.at; now += 1 / adaptiveRoom {
			latency := max(meanWork.Seconds(), v.l/adaptiveRoom)
			v.sample(0, time.Duration(latency*float64(time.Second)), int(v.l), false)
		}
		b.near(fmt.Sprintf("(a) Vegas, if latency followed the limit at once: limit after %v s", want.at), want.limit, v.l, 0.15)
	}
}

// evidence is the table from which the default was chosen.
func evidence(w io.Writer, all []performance) error {
	var out strings.Builder
	fmt.Fprintf(&out, "| limiter, floor | (a) fixed: limit; within 27 to 45; goodput; p99 | (a) exponential | (b) all time out: limit after "+
		"a minute; in the end | (c) a fifth pushed back: limit; mean | (d) 15 of 30 workers: s until within 10 %%; mean from 10 s on; s until "+
		"back |\n|%s\n", strings.Repeat("---|", 6))
	yes := map[bool]string{true: "holds", false: "fails"}
	overload := func(c *course, l workLaw) string {
		in, goodput, p99 := share(c.limits, bandLow, bandHigh), c.goodput(0, c.length), c.p99()
		return fmt.Sprintf("%s; %.1f %%; %.0f/s; %v: **%s**", span(c, 0, c.length), 100*in, goodput, p99.Round(time.Millisecond),
			yes[in >= 0.95 && goodput >= 0.95*adaptiveRoom && p99 <= 2*l.p99])
	}
	for _, r := range all {
		last := maxLimit(r.timedOut, r.timedOut.length-time.Second)
		never := func(d, most time.Duration) string {
			if d >= most {
				return "never"
			}
			return fmt.Sprintf("%.1f", d.Seconds())
		}
		down, up := r.few.settled(workersLost, 13.5, 16.5), r.few.settled(workersBack, bandLow, bandHigh)
		fmt.Fprintf(&out, "| %s, %d | %s | %s | %.0f; %d: **%s** | %s; %.1f: **%s** | %s; %.1f; %s: **%s** |\n", r.name, r.floor,
			overload(r.even, workLaws[0]), overload(r.varied, workLaws[1]),
			r.timedOut.at(time.Minute), last, yes[last == r.floor],
			span(r.pushed, 0, r.pushed.length), average(r.pushed.limits), yes[maxLimit(r.pushed, 0) <= 20],
			never(down, time.Minute), average(r.few.between(workersLost+10*time.Second, workersBack)), never(up, time.Minute),
			yes[down <= 10*time.Second && up <= 20*time.Second])
	}
	_, err := io.WriteString(w, out.String())
	return err
}
