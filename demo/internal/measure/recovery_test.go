package measure_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/measure"
)

func TestRecoveryIsTheFirstSecondFromWhichGoodputHolds(t *testing.T) {
	// Each number is the good answers of a second in which 100 were asked for; -1 is a second without customers.
	for _, row := range []struct {
		what   string
		good   []int
		end    time.Duration
		window int
		want   time.Duration
		ok     bool
	}{
		{"never hurt", []int{100, 100, 100, 100, 100, 100, 100, 100}, 2 * time.Second, 5, 0, true},
		{"back at once", []int{100, 10, 10, 100, 100, 100, 100, 100}, 3 * time.Second, 5, 0, true},
		{"back after two", []int{100, 10, 10, 0, 50, 100, 100, 100, 100, 100}, 3 * time.Second, 5, 2 * time.Second, true},
		{"good during the fault does not count", []int{100, 100, 100, 100, 100, 0, 0, 0, 0, 0}, 5 * time.Second, 5, 0, false},
		{"stays down", []int{100, 10, 0, 0, 0, 0, 0, 0, 0, 0}, 2 * time.Second, 5, 0, false},
		{"falls back", []int{0, 100, 100, 100, 50, 100, 100, 100, 100, 100, 100}, time.Second, 5, 4 * time.Second, true},
		{"one bad second in five is forgiven at 75", []int{100, 100, 75, 100, 100}, 0, 5, 0, true},
		{"and not at 74", []int{100, 100, 74, 100, 100}, 0, 5, 0, false},
		{"exactly 95 % recovers", []int{95, 95, 95, 95, 95}, 0, 5, 0, true},
		{"a hair less does not", []int{95, 95, 94, 95, 95}, 0, 5, 0, false},
		{"the window does not fit", []int{0, 0, 0, 100, 100, 100, 100}, 3 * time.Second, 5, 0, false},
		{"a shorter window does", []int{0, 0, 0, 100, 100, 100, 100}, 3 * time.Second, 4, 0, true},
		{"ends within a second", []int{0, 100, 100, 100, 100, 100}, 500 * ms, 5, 500 * ms, true},
		{"never hurt, ends within a second", []int{100, 100, 100, 100}, 1200 * ms, 2, 800 * ms, true},
		{"the second of the end itself is skipped", []int{0, 0, 100, 100, 100, 100, 100}, 1200 * ms, 5, 800 * ms, true},
		{"nobody came", []int{0, -1, -1, -1, -1, -1}, time.Second, 5, 0, false},
		{"few came", []int{0, -1, 100, -1, -1, -1}, time.Second, 5, 0, true},
		{"no bins", nil, 0, 5, 0, false},
		{"ends after the bins", []int{100, 100}, time.Minute, 1, 0, false},
	} {
		var bins []measure.Bin
		for _, good := range row.good {
			b := measure.Bin{Offered: 100, Good: good}
			if good < 0 {
				b = measure.Bin{}
			}
			bins = append(bins, b)
		}
		got, ok := measure.Recovery(bins, row.end, row.window)
		if got != row.want || ok != row.ok {
			t.Errorf("%s: %v, %v; want %v, %v", row.what, got, ok, row.want, row.ok)
		}
	}
}
