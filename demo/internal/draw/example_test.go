package draw_test

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
)

func ExampleNew() {
	one, two := draw.New(1).Stream("arrivals"), draw.New(1).Stream("arrivals")
	two.Float64(7) // what somebody else draws changes nothing
	fmt.Println(one.Uint64(3) == two.Uint64(3))
	// Output: true
}

func ExampleStream_Exp() {
	gaps := draw.New(1).Stream("gaps")
	rate := 140.0 // arrivals per second
	var at time.Duration
	for n := range uint64(14_000) {
		at += time.Duration(gaps.Exp(float64(time.Second)/rate, n))
	}
	fmt.Println(at.Round(5 * time.Second)) // about 100 s
	// Output: 1m40s
}

func ExampleStream_LogNormal() {
	service := draw.New(1).Stream("service")
	first, second := service.LogNormal(40, 0.5, 17, 1), service.LogNormal(40, 0.5, 17, 2)
	fmt.Println(first == service.LogNormal(40, 0.5, 17, 1), first == second)
	// Output: true false
}

func ExampleStream_Zipf() {
	shows := draw.NewZipf(12, 1)
	popular := draw.New(1).Stream("shows")
	count := make([]int, shows.Len())
	for n := range uint64(10_000) {
		count[popular.Zipf(shows, n)]++
	}
	fmt.Println(count[0] > 4*count[11])
	// Output: true
}
