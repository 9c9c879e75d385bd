package keyed_test

import (
	"slices"
	"testing"

	"github.com/seawall-go/seawall/internal/keyed"
)

func TestForemostHasThoseFirstThatMustBeKept(t *testing.T) {
	for _, c := range []struct{ members, want []int }{
		{nil, nil},
		{[]int{1, 3}, []int{1, 3}},
		{[]int{1, 2, 3, 4, 5}, []int{2, 4, 1}},
		{[]int{1, 3, 5, 7, 9, 2}, []int{2, 1, 3}},
		{[]int{1, 2, 4, 6, 8}, []int{2, 4, 6}},
	} {
		got := keyed.Foremost(slices.Values(c.members), 3, func(n int) bool { return n%2 == 0 })
		if !slices.Equal(got, c.want) {
			t.Errorf("of %v: %v, want %v", c.members, got, c.want)
		}
	}
}
