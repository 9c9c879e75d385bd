package load_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// house is one with shows of different sizes, the last of which has fewer seats than a customer may want.
func house() load.House {
	var h load.House
	for show := range 12 {
		p := load.Performance{ID: int64(show + 1)}
		n := 2000 - 10*show
		if show == 11 {
			n = 2
		}
		for seat := range n {
			p.Seats = append(p.Seats, int64(1000*show+seat))
		}
		h = append(h, p)
	}
	return h
}

func config() load.Config {
	return load.Config{
		Seed: 1, Scene: "test", Rate: 187, Length: 100 * time.Second, Mix: load.DefaultMix(), House: house(),
	}
}

func TestArrivalsDoNotDependOnWhoAsked(t *testing.T) {
	c := config()
	first, second := slices.Collect(c.Arrivals()), slices.Collect(c.Arrivals())
	if !reflect.DeepEqual(first, second) {
		t.Error("two arms got different arrivals")
	}
	for range c.Arrivals() {
		break // who leaves early takes nothing with it
	}
	if third := slices.Collect(c.Arrivals()); !reflect.DeepEqual(first, third) {
		t.Error("an arm that left early shifted the arrivals of the next one")
	}
	other := c
	other.Seed = 2
	if reflect.DeepEqual(first, slices.Collect(other.Arrivals())) {
		t.Error("the seed changes nothing")
	}
}

// A higher rate must bring the same customers sooner, not other ones.
func TestArrivalsOfAnotherRateAreTheSameOnesCloserTogether(t *testing.T) {
	c := config()
	twice := c
	twice.Rate, twice.Length = 2*c.Rate, c.Length/2
	a, b := slices.Collect(c.Arrivals()), slices.Collect(twice.Arrivals())
	if len(a) != len(b) {
		t.Fatalf("%d and %d arrivals", len(a), len(b))
	}
	for i := range a {
		if d := a[i].At - 2*b[i].At; d.Abs() > 10 {
			t.Fatalf("arrival %d at %v and %v", i, a[i].At, b[i].At)
		}
		a[i].At, b[i].At = 0, 0
	}
	if !reflect.DeepEqual(a, b) {
		t.Error("other customers came")
	}
}

// Of a Poisson process the counts per second have equal mean and variance, and the gaps are exponential.
func TestArrivalsAreNotEvenlySpacedOrBunched(t *testing.T) {
	c := config()
	c.Length = 400 * time.Second
	counts := make([]float64, 400)
	var last time.Duration
	var gaps, squares, n float64
	for r := range c.Arrivals() {
		if r.At < last || r.At >= c.Length {
			t.Fatalf("arrival %d at %v, after one at %v", r.N, r.At, last)
		}
		gap := (r.At - last).Seconds()
		last = r.At
		gaps, squares, n = gaps+gap, squares+gap*gap, n+1
		if r.N != uint64(n) {
			t.Fatalf("arrival number %d is called %d", int(n), r.N)
		}
		counts[int(r.At/time.Second)]++
	}
	mean, variance := n/400, 0.0
	for _, count := range counts {
		variance += (count - mean) * (count - mean) / 399
	}
	// Four standard deviations: sqrt(187/400) = 0.7 for the mean, sqrt(2/399) = 7 % for the dispersion.
	if math.Abs(mean-c.Rate) > 2.8 || math.Abs(variance/mean-1) > 0.28 {
		t.Errorf("mean %.1f and variance %.1f per second, want %.0f for both", mean, variance, c.Rate)
	}
	// An exponential gap has a second moment of twice its squared mean.
	if ratio := (squares / n) / (gaps / n) / (gaps / n); math.Abs(ratio-2) > 0.1 {
		t.Errorf("second moment of the gaps is %.2f of the squared mean, want 2", ratio)
	}
}

func TestArrivalsFollowTheMix(t *testing.T) {
	c := config()
	c.Length = 400 * time.Second
	counts, all := map[load.Kind]float64{}, 0.0
	for r := range c.Arrivals() {
		counts[r.Kind]++
		all++
	}
	for _, kind := range []load.Kind{load.SeatMap, load.Catalog, load.Hold} {
		want := c.Mix.Share(kind)
		if got := counts[kind] / all; math.Abs(got-want) > 4*math.Sqrt(want*(1-want)/all) {
			t.Errorf("%s: %.4f of the arrivals, want %.2f", kind, got, want)
		}
	}
	c.Mix = load.Mix{Hold: 1}
	for r := range c.Arrivals() {
		if r.Kind != load.Hold {
			t.Fatalf("a %s among holds", r.Kind)
		}
	}
}

func TestArrivalsAskForWhatIsOnSale(t *testing.T) {
	c := config()
	c.Mix = load.Mix{SeatMap: 0.2, Catalog: 0.2, Hold: 0.6}
	shows := map[int64][]int64{}
	for _, p := range c.House {
		shows[p.ID] = p.Seats
	}
	asked, orders, sizes := map[int64]int{}, map[string]bool{}, map[int]int{}
	for r := range c.Arrivals() {
		asked[r.Performance]++
		switch r.Kind {
		case load.Catalog:
			if r.Performance != 0 || r.Seats != nil || r.Order != "" {
				t.Fatalf("%+v", r)
			}
		case load.SeatMap:
			if shows[r.Performance] == nil || r.Seats != nil || r.Order != "" {
				t.Fatalf("%+v", r)
			}
		case load.Hold:
			seats := shows[r.Performance]
			at := slices.Index(seats, r.Seats[0])
			if at < 0 || at+len(r.Seats) > len(seats) || !slices.Equal(seats[at:at+len(r.Seats)], r.Seats) {
				t.Fatalf("%+v wants seats that do not stand next to each other", r)
			}
			if orders[r.Order] || !strings.HasPrefix(r.Order, "test-") {
				t.Fatalf("order %q of arrival %d is not its own", r.Order, r.N)
			}
			orders[r.Order] = true
			sizes[len(r.Seats)]++
		}
	}
	for n := 1; n <= 4; n++ {
		if sizes[n] == 0 || len(sizes) != 4 {
			t.Errorf("seats of an order: %v, want 1 to 4", sizes)
		}
	}
	if asked[1] < 2*asked[11] || asked[11] == 0 {
		t.Errorf("shows are not popular by their rank: %v", asked)
	}
}

// Nobody asks as often as a quota could mean, and no account is the one of most.
func TestArrivalsComeFromManyCustomers(t *testing.T) {
	c := config()
	c.Mix = load.Mix{Hold: 1} // who draws more of its other values
	seen := map[int64]int{}
	var of []int64
	for r := range c.Arrivals() {
		seen[r.Customer]++
		of = append(of, r.Customer)
		if r.Customer < 1 {
			t.Fatalf("%+v", r)
		}
	}
	for who, n := range seen { // some nine of each in 100 s
		if n > 40 {
			t.Errorf("customer %d came %d times", who, n)
		}
	}
	if len(seen) < 1900 {
		t.Errorf("%d customers", len(seen))
	}
	i := 0
	for r := range config().Arrivals() { // another mix, and the same customers
		if i == len(of) || r.Customer != of[i] {
			t.Fatalf("arrival %d is of customer %d, and was of another one", r.N, r.Customer)
		}
		i++
	}
}

func TestArrivalsAreNotMadeFromNonsense(t *testing.T) {
	for name, broken := range map[string]func(*load.Config){
		"rate of 0":       func(c *load.Config) { c.Rate = 0 },
		"negative rate":   func(c *load.Config) { c.Rate = -1 },
		"rate NaN":        func(c *load.Config) { c.Rate = math.NaN() },
		"infinite rate":   func(c *load.Config) { c.Rate = math.Inf(1) },
		"no length":       func(c *load.Config) { c.Length = 0 },
		"empty mix":       func(c *load.Config) { c.Mix = load.Mix{} },
		"mix beyond 1":    func(c *load.Config) { c.Mix.Hold = 1 },
		"negative share":  func(c *load.Config) { c.Mix = load.Mix{SeatMap: 2, Hold: -1} },
		"share NaN":       func(c *load.Config) { c.Mix.Hold = math.NaN() },
		"empty house":     func(c *load.Config) { c.House = nil },
		"show, no seats":  func(c *load.Config) { c.House[3].Seats = nil },
		"absurdly fast":   func(c *load.Config) { c.Rate = 1e9 },
		"negative length": func(c *load.Config) { c.Length = -time.Second },
	} {
		c := config()
		broken(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("%s: valid", name)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Arrivals does not panic", name)
				}
			}()
			c.Arrivals()
		}()
	}
	if err := config().Validate(); err != nil {
		t.Error(err)
	}
}
