package plot_test

import (
	"fmt"
	"strings"

	"github.com/seawall-go/seawall/demo/internal/plot"
)

func ExamplePlot_SVG() {
	p := plot.Plot{
		ID: "goodput", Title: "Good answers per second", Desc: "falls from 140 to 60, and comes back",
		YLabel: "answers per second", Seconds: 3,
		Series: []plot.Series{{Name: "seawall", Values: []float64{140, 60, 140}}},
	}
	svg := string(p.SVG())
	fmt.Println(strings.HasPrefix(svg, "<svg "), strings.Contains(svg, ">Good answers per second</title>"))
	// Output: true true
}
