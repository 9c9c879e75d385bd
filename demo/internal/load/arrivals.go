package load

import (
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
)

// Config sets the arrivals of one scene.
type Config struct {
	// Seed fixes everything that is drawn.
	Seed uint64
	// Scene is the scene's name: scenes of one seed draw apart. It is also the beginning of the ids of orders.
	Scene string
	// Rate is the mean number of arrivals per second: above 0 and up to 100,000.
	Rate float64
	// Length is when the arrivals end.
	Length time.Duration
	// Mix is what is asked for.
	Mix Mix
	// House is what is on sale. It is read only.
	House House
}

// maxRate bounds Config.Rate: more than one process can send.
const maxRate = 100_000

// The shape of the demand. Both exponents are below 1, the usual one for popularity: with it the first show would be
// sold out after some seconds, and nearly all that is measured would be the answer "taken".
const (
	showExponent = 0.8
	seatExponent = 0.3
	maxSeats     = 4
	customers    = 2000 // accounts, all equally busy: none comes twice in a second but by chance
)

// Validate returns an error that names the field, its value and its range.
func (c Config) Validate() error {
	if !(c.Rate > 0 && c.Rate <= maxRate) { // written so that NaN is out of range
		return fmt.Errorf("load: Config.Rate is %v per second, want above 0 and up to %d", c.Rate, maxRate)
	}
	if c.Length <= 0 {
		return fmt.Errorf("load: Config.Length is %v, want above 0", c.Length)
	}
	if err := c.Mix.Validate(); err != nil {
		return err
	}
	return c.House.Validate()
}

// Arrivals returns the requests in the order of their times, up to Length. The same Config gives the same requests,
// each time; a higher rate gives the same ones closer together. It panics if c is not valid.
func (c Config) Arrivals() iter.Seq[Request] {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	d := c.draws()
	return func(yield func(Request) bool) {
		at := 0.0
		for n := uint64(1); ; n++ {
			at += d.gap.Exp(float64(time.Second)/c.Rate, n)
			if at >= float64(c.Length) {
				return
			}
			if !yield(d.request(n, time.Duration(math.Floor(at)))) {
				return
			}
		}
	}
}

// draws are the streams of one scene.
type draws struct {
	config                                  Config
	gap, kind, customer, show, seats, first draw.Stream
	shows                                   *draw.Zipf
	seatOf                                  map[int]*draw.Zipf // by the number of places at which seats can begin
}

func (c Config) draws() draws {
	source := draw.New(c.Seed)
	stream := func(what string) draw.Stream { return source.Stream("load/" + c.Scene + "/" + what) }
	d := draws{
		config: c,
		gap:    stream("gap"), kind: stream("kind"), customer: stream("customer"),
		show: stream("show"), seats: stream("seats"), first: stream("first"),
		shows:  draw.NewZipf(len(c.House), showExponent),
		seatOf: map[int]*draw.Zipf{},
	}
	for _, p := range c.House {
		for wanted := 1; wanted <= min(maxSeats, len(p.Seats)); wanted++ {
			places := len(p.Seats) - wanted + 1
			if d.seatOf[places] == nil {
				d.seatOf[places] = draw.NewZipf(places, seatExponent)
			}
		}
	}
	return d
}

func (d draws) request(n uint64, at time.Duration) Request {
	r := Request{
		N: n, At: at, Kind: d.config.Mix.pick(d.kind.Float64(n)), Customer: 1 + int64(d.customer.Float64(n)*customers),
	}
	if r.Kind == Catalog {
		return r
	}
	show := d.config.House[d.show.Zipf(d.shows, n)]
	r.Performance = show.ID
	if r.Kind == Hold {
		wanted := min(1+int(d.seats.Float64(n)*maxSeats), len(show.Seats))
		first := d.first.Zipf(d.seatOf[len(show.Seats)-wanted+1], n)
		r.Seats = show.Seats[first : first+wanted : first+wanted]
		r.Order = fmt.Sprintf("%s-%06d", d.config.Scene, n)
	}
	return r
}
