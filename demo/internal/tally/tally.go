package tally

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seawall-go/seawall/demo/internal/measure"
)

// Tally is the counts of all arms of a run, through all of its scenes. A nil Tally counts nothing.
type Tally struct {
	registry *prometheus.Registry
	arms     map[string]*Arm
}

// Arm is the counts of one arm. Counting takes some atomic additions and no lock. A nil Arm counts nothing.
type Arm struct {
	offered prometheus.Counter
	results map[measure.Grade]result // all grades; nobody changes it
}

type result struct {
	arrivals prometheus.Counter
	latency  prometheus.Observer
}

// buckets are the bounds of the latencies in seconds. The deadlines of reads and holds are among them, so that what is
// within them is exact, and so is the customers' patience of 5 s.
var buckets = []float64{.005, .01, .025, .05, .075, .1, .15, .2, .25, .35, .5, .75, 1, 1.5, 2, 3, 4, 5, 6}

// New makes the counts of these arms. All series are there at once, at zero.
func New(arms ...string) *Tally {
	t := &Tally{registry: prometheus.NewRegistry(), arms: map[string]*Arm{}}
	offered := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_offered_total",
		Help: "Requests of customers, counted when they are sent.",
	}, []string{"arm"})
	arrivals := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_arrivals_total",
		Help: "The same requests by what came of them, counted when the answer is complete or given up.",
	}, []string{"arm", "result"})
	latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "boxoffice_latency_seconds",
		Help: "From the intended send of a request to the end of its answer, by what came of it.", Buckets: buckets,
	}, []string{"arm", "result"})
	t.registry.MustRegister(offered, arrivals, latency)
	for _, name := range arms {
		a := &Arm{offered: offered.WithLabelValues(name), results: map[measure.Grade]result{}}
		for _, g := range measure.Grades() {
			a.results[g] = result{arrivals.WithLabelValues(name, string(g)), latency.WithLabelValues(name, string(g))}
		}
		t.arms[name] = a
	}
	return t
}

// Arm returns the counts of an arm, nil if New was not told of it.
func (t *Tally) Arm(name string) *Arm {
	if t == nil {
		return nil
	}
	return t.arms[name]
}

// Handler answers what Prometheus asks.
func (t *Tally) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{})
}

// Offered counts a request that is sent. It is counted apart from what comes of it: that may be seconds later where an
// arm is in trouble, and the load would seem to fall with the answers.
func (a *Arm) Offered() {
	if a != nil {
		a.offered.Inc()
	}
}

// Ended counts what came of a request.
func (a *Arm) Ended(g measure.Grade, latency time.Duration) {
	if a == nil {
		return
	}
	r := a.results[g]
	r.arrivals.Inc()
	r.latency.Observe(latency.Seconds())
}
