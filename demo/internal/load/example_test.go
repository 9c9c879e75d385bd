package load_test

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
)

func ExampleConfig_Arrivals() {
	c := load.Config{
		Seed: 1, Scene: "example", Rate: 2, Length: 3 * time.Second, Mix: load.Mix{Hold: 1},
		House: load.House{{ID: 7, Seats: []int64{701, 702, 703, 704, 705}}},
	}
	for r := range c.Arrivals() {
		fmt.Println(r.At.Round(time.Millisecond), r.Order, r.Seats)
	}
	// Output:
	// 498ms example-000001 [703 704 705]
	// 773ms example-000002 [703]
	// 923ms example-000003 [703]
	// 1.773s example-000004 [701]
	// 2.333s example-000005 [701 702 703 704]
	// 2.755s example-000006 [702]
	// 2.915s example-000007 [704 705]
}
