package seawalltest

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// SVG draws the time series as three panels: what was offered, sent and answered; the calls in flight and the server's
// limit; the dependency's queue.
func (r *Report) SVG(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, plotHeight)
	perSecond := func(n int) float64 { return float64(n) / r.Width.Seconds() }
	r.panel(&b, 0, "per second", []line{
		{"attempts", "#d55e00", func(b Bin) float64 { return perSecond(b.Attempts) }},
		{"offered", "#999999", func(b Bin) float64 { return perSecond(b.Offered) }},
		{"good", "#009e73", func(b Bin) float64 { return perSecond(b.Good) }},
	})
	inFlight := []line{{"in flight", "#0072b2", func(b Bin) float64 { return float64(b.InFlight) }}}
	if slices.ContainsFunc(r.Bins, func(b Bin) bool { return b.Limit > 0 }) {
		inFlight = append(inFlight, line{"limit", "#e69f00", func(b Bin) float64 { return b.Limit }})
	}
	r.panel(&b, 1, "calls", inFlight)
	r.panel(&b, 2, "queue of the dependency", []line{
		{"waiting", "#cc79a7", func(b Bin) float64 { return float64(b.Waiting) }},
	})
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Sizes of the picture, in its own units.
const (
	plotWidth, plotHeight = 800, 600
	panelHeight           = plotHeight / 3
	left, right           = 60, 110
	above, below          = 30, 30
)

// line is one series of a panel. Its colours can be told apart by the colour-blind (Okabe and Ito).
type line struct {
	name, colour string
	value        func(Bin) float64
}

func (r *Report) panel(b *strings.Builder, at int, title string, lines []line) {
	top := at*panelHeight + above
	height, width := panelHeight-above-below, plotWidth-left-right
	highest := 1.0
	for _, l := range lines {
		for _, bin := range r.Bins {
			highest = max(highest, l.value(bin))
		}
	}
	highest = roundUp(highest)
	y := func(v float64) float64 { return float64(top) + float64(height)*(1-v/highest) }
	x := func(at time.Duration) float64 { return left + float64(width)*float64(at)/float64(max(1, r.end())) }

	fmt.Fprintf(b, `<text x="%d" y="%d" fill="#333">%s</text>`+"\n", left, top-10, title)
	for i := range 5 {
		v := highest * float64(i) / 4
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#333">%s</text>`+"\n",
			left, y(v), left+width, left-6, y(v)+4, label(v))
	}
	for i := range 6 {
		t := r.end() * time.Duration(i) / 5
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#333">%.4g s</text>`+"\n", x(t), top+height+16, t.Seconds())
	}
	for i, l := range lines {
		b.WriteString(`<polyline fill="none" stroke-width="1.5" stroke="` + l.colour + `" points="`)
		for _, bin := range r.Bins {
			fmt.Fprintf(b, "%.1f,%.1f ", x(bin.At+r.Width/2), y(l.value(bin)))
		}
		fmt.Fprintf(b, `"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n", left+width+8, top+14+16*i, l.colour, l.name)
	}
}

// label is a number in few characters.
func label(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.4gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.4gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}

// roundUp returns the next round number of which a quarter is round as well.
func roundUp(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, factor := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8} {
		if v <= factor*unit {
			return factor * unit
		}
	}
	return 10 * unit
}
