package plot

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Plot is one picture. It draws values over the seconds of a scene.
type Plot struct {
	// ID makes the ids in the SVG its own where several are on one page. Letters, digits and hyphens.
	ID string
	// Title is what it shows, and Desc says in words what can be seen.
	Title, Desc string
	// YLabel names the values and their unit. The other axis is seconds.
	YLabel string
	// Seconds is the length of the time axis. Above 0.
	Seconds float64
	// Scale is how values become heights. Default [Linear].
	Scale Scale
	// Series are drawn one over the other, so that the last one is seen best; the legend begins with that one.
	Series []Series
	Shades []Shade
}

// Series is one line.
type Series struct {
	Name string
	// Values are one for each second, drawn in its middle. NaN is a gap.
	Values []float64
	Style  Style
}

// Style is how a line looks.
type Style struct {
	// Color is a number of the palette, which repeats; [Neutral] is grey.
	Color int
	// Thin is for what is less important.
	Thin bool
}

// Neutral is the colour of what is only there to compare with.
const Neutral = -1

// Shade is a time in which something was wrong, in seconds.
type Shade struct {
	From, To float64
	Text     string
}

// The size of a picture and of the space around the lines, in pixels.
const (
	width, height = 860.0, 340.0
	left, right   = 80.0, 16.0
	top, bottom   = 78.0, 46.0
	innerWidth    = width - left - right
	innerHeight   = height - top - bottom
)

// The colours have a contrast of about 4 both on white and on the black of a dark page, and differ for people who see
// red and green alike. There is no variant for dark pages: a picture in a page learns what the system prefers, not what
// the page looks like.
const ink = "#737b84"

// fonts are those that systems have, the first that is there.
const fonts = `system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', sans-serif`

var palette = []string{"#1f78e6", "#c9600a", "#8957e5", "#1a8f6f"}

func (s Style) stroke() string {
	return fmt.Sprintf(`stroke="%s" stroke-width="%g" stroke-linecap="round"`, s.color(), s.width())
}

func (s Style) color() string {
	if s.Color == Neutral {
		return ink
	}
	return palette[s.Color%len(palette)]
}

func (s Style) width() float64 {
	if s.Thin {
		return 1.2
	}
	return 2.4
}

// SVG draws the plot.
func (p Plot) SVG() []byte {
	var b strings.Builder
	axis := p.axis()
	id := html.EscapeString(p.ID)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img"`, width, height)
	fmt.Fprintf(&b, ` aria-labelledby="%s-title %s-desc"`, id, id)
	fmt.Fprintf(&b, ` font-family="%s" font-size="13" fill="%s">`+"\n", fonts, ink)
	fmt.Fprintf(&b, "<title id=\"%s-title\">%s</title>\n", id, html.EscapeString(p.Title))
	fmt.Fprintf(&b, "<desc id=\"%s-desc\">%s</desc>\n", id, html.EscapeString(p.Desc))
	title := html.EscapeString(p.Title)
	fmt.Fprintf(&b, `<text x="%g" y="18" font-size="15" font-weight="600">%s</text>`+"\n", left, title)
	p.legend(&b)
	p.shades(&b)
	p.grid(&b, axis)
	for _, s := range p.Series {
		p.line(&b, axis, s)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// x and y turn a time and a height from 0 to 1 into pixels.
func (p Plot) x(second float64) float64 { return left + innerWidth*second/p.Seconds }

func y(share float64) float64 { return top + innerHeight*(1-share) }

func (p Plot) legend(b *strings.Builder) {
	at := left
	for _, s := range slices.Backward(p.Series) {
		fmt.Fprintf(b, `<line x1="%.1f" y1="40" x2="%.1f" y2="40" %s/>`+"\n", at, at+22, s.Style.stroke())
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"44.5\">%s</text>\n", at+29, html.EscapeString(s.Name))
		at += 29 + textWidth(s.Name) + 20
	}
}

// textWidth is about how many pixels a text takes: fonts differ from reader to reader.
func textWidth(s string) float64 { return 7 * float64(utf8.RuneCountInString(s)) }

func (p Plot) shades(b *strings.Builder) {
	for _, s := range p.Shades {
		from, to := p.x(max(0, s.From)), p.x(min(p.Seconds, s.To))
		fmt.Fprintf(b, `<rect x="%.1f" y="%g" width="%.1f" height="%g" fill="%s" fill-opacity="0.16"/>`+"\n",
			from, top, max(0, to-from), innerHeight, ink)
		for _, edge := range []float64{from, to} {
			fmt.Fprintf(b, `<line x1="%.1f" y1="%g" x2="%.1f" y2="%g"`, edge, top, edge, top+innerHeight)
			fmt.Fprintf(b, ` stroke="%s" stroke-opacity="0.7" stroke-dasharray="2 3"/>`+"\n", ink)
		}
		half := textWidth(s.Text) / 2
		middle := min(max((from+to)/2, left+half), width-right-half)
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%g\" font-size=\"12\" text-anchor=\"middle\">%s</text>\n",
			middle, top-7, html.EscapeString(s.Text))
	}
}

func (p Plot) grid(b *strings.Builder, axis axis) {
	for _, t := range axis.ticks {
		at := y(axis.share(t))
		fmt.Fprintf(b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="%s" stroke-opacity="%s"/>`+"\n",
			left, at, width-right, at, ink, opacity(t == axis.ticks[0]))
		fmt.Fprintf(b, "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left-8, at+4.5, axis.format(t))
	}
	step := niceStep(p.Seconds, 10)
	for n := 0; float64(n)*step <= p.Seconds+1e-9; n++ {
		second := float64(n) * step
		fmt.Fprintf(b, `<line x1="%.1f" y1="%g" x2="%.1f" y2="%g" stroke="%s"/>`+"\n",
			p.x(second), top+innerHeight, p.x(second), top+innerHeight+4, ink)
		fmt.Fprintf(b, `<text x="%.1f" y="%g" text-anchor="middle">%g</text>`+"\n", p.x(second), top+innerHeight+18, second)
	}
	fmt.Fprintf(b, "<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">seconds</text>\n", left+innerWidth/2, height-8)
	fmt.Fprintf(b, "<text x=\"14\" y=\"%g\" text-anchor=\"middle\" transform=\"rotate(-90 14 %g)\">%s</text>\n",
		top+innerHeight/2, top+innerHeight/2, html.EscapeString(p.YLabel))
}

func opacity(base bool) string {
	if base {
		return "1"
	}
	return "0.22"
}

// line draws the parts between the gaps. A value with a gap on both sides becomes a dot: a stroke of no length with
// round ends.
func (p Plot) line(b *strings.Builder, axis axis, s Series) {
	var path strings.Builder
	pen := "M"
	for n, v := range s.Values {
		second := float64(n) + 0.5
		if math.IsNaN(v) || second > p.Seconds {
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, p.x(second), y(axis.share(v)))
		if alone := n+1 == len(s.Values) || math.IsNaN(s.Values[n+1]); pen == "M" && alone {
			path.WriteString("h0")
		}
		pen = "L"
	}
	if path.Len() == 0 {
		return
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke-linejoin="round" %s/>`+"\n", path.String(), s.Style.stroke())
}
