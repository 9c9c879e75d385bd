package gate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
	"github.com/seawall-go/seawall/demo/internal/gate"
)

func ExampleNew() {
	inventory := gate.New("inventory", gate.Config{Workers: 8, Mean: 40 * time.Millisecond, Draws: draw.New(1)})
	cfg := inventory.Config()
	fmt.Printf("%s serves %.0f/s\n", inventory.Name(), float64(cfg.Workers)/cfg.Mean.Seconds())
	// Output: inventory serves 200/s
}

func ExampleGate_Run() {
	inventory := gate.New("inventory", gate.Config{Mean: time.Millisecond, Sigma: gate.NoSpread})
	begin := time.Now()
	err := inventory.Run(context.Background(), gate.Key{Arrival: 17, Attempt: 1}, func(context.Context) error {
		fmt.Println("a real query")
		return nil
	})
	fmt.Println(err, time.Since(begin) >= time.Millisecond, inventory.Stats().Served)
	// Output:
	// a real query
	// <nil> true 1
}
