package shrink_test

import (
	"slices"
	"testing"

	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/internal/shrink"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestListKeepsWhatFailsAndNoMore(t *testing.T) {
	has := func(wanted ...int) func([]int) bool {
		return func(list []int) bool {
			for _, w := range wanted {
				if !slices.Contains(list, w) {
					return false
				}
			}
			return true
		}
	}
	list := make([]int, 100)
	for i := range list {
		list[i] = i
	}
	given := slices.Clone(list)
	for _, c := range []struct {
		name  string
		list  []int
		unit  int
		fails func([]int) bool
		want  []int
	}{
		{"what is always wrong", list, 1, has(), []int{}},
		{"an only one that is not needed", list[:1], 1, has(), []int{}},
		{"none", nil, 1, has(), nil},
		{"less than an operation", list[:1], 2, has(), []int{0}},
		{"one", list, 1, has(57), []int{57}},
		{"the ends", list, 1, has(0, 99), []int{0, 99}},
		{"pairs", list, 2, has(7, 50), []int{6, 7, 50, 51}},
		{
			"one that is needed beside another", list[:4], 1,
			func(l []int) bool { return has(3)(l) && (has(1)(l) || !has(2)(l)) },
			[]int{3},
		},
	} {
		if got := shrink.List(c.list, c.unit, c.fails); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if !slices.Equal(list, given) {
			t.Fatalf("%s: the list itself is %v", c.name, list)
		}
	}
}
