package papers_test

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// chart is a picture of lines.
type chart struct {
	title, x string
	curves   []curve
}

type curve struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// Sizes of the picture, in its own units.
const (
	chartWidth, chartHeight = 800, 400
	marginLeft, marginRight = 60, 130
	marginTop, marginBottom = 40, 50
)

// colours can be told apart by the colour-blind (Okabe and Ito).
var colours = []string{"#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

func (c chart) svg(w io.Writer) error {
	var b strings.Builder
	const width, height = chartWidth - marginLeft - marginRight, chartHeight - marginTop - marginBottom
	farX, farY := math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat64
	for _, l := range c.curves {
		for _, p := range l.points {
			farX, farY = max(farX, p.x), max(farY, p.y)
		}
	}
	farX, farY = rounded(farX), rounded(farY)
	x := func(v float64) float64 { return marginLeft + width*v/farX }
	y := func(v float64) float64 { return marginTop + height*(1-v/farY) }

	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		chartWidth, chartHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#333">%s</text>`+"\n", marginLeft, marginTop-16, c.title)
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="#333">%s</text>`+"\n",
		marginLeft+width/2, chartHeight-10, c.x)
	for i := range 5 {
		v, h := farY*float64(i)/4, farX*float64(i)/4
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#333">%.4g</text>`+"\n",
			marginLeft, y(v), marginLeft+width, marginLeft-6, y(v)+4, v)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#333">%.4g</text>`+"\n", x(h), marginTop+height+18, h)
	}
	for i, l := range c.curves {
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<polyline fill="none" stroke-width="1.5" stroke="%s" points="`, colour)
		for _, p := range l.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p.x), y(p.y))
		}
		fmt.Fprintf(&b, `"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n",
			marginLeft+width+8, marginTop+14+16*i, colour, l.name)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// rounded returns the next round number of which a quarter is round as well.
func rounded(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, factor := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8} {
		if v <= factor*unit {
			return factor * unit
		}
	}
	return 10 * unit
}
