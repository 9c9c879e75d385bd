package seawall_test

import (
	"context"
	"slices"
	"testing"

	"github.com/seawall-go/seawall"
)

var priorityTexts = []string{"sheddable", "sheddable-plus", "critical", "critical-plus"}

func TestPrioritiesCompare(t *testing.T) {
	if seawall.Sheddable >= seawall.SheddablePlus || seawall.SheddablePlus >= seawall.Critical || seawall.Critical >= seawall.CriticalPlus {
		t.Error("they are not in order")
	}
	for i, text := range priorityTexts {
		p := seawall.Sheddable + seawall.Priority(i)
		if p.String() != text {
			t.Errorf("%d is %q, want %q", p, p, text)
		}
	}
	if got := seawall.Priority(0).String(); got != "Priority(0)" {
		t.Errorf("it prints as %q", got)
	}
}

// T32
func TestPriorityOfAContextIsOneOfTheFour(t *testing.T) {
	if got := seawall.PriorityOf(t.Context()); got != seawall.Critical {
		t.Errorf("without a priority it is %v", got)
	}
	for i := range 256 {
		p := seawall.Priority(i)
		want := p
		if p < seawall.Sheddable || p > seawall.CriticalPlus {
			want = seawall.Critical
		}
		if got := seawall.PriorityOf(seawall.WithPriority(context.Background(), p)); got != want {
			t.Errorf("%v is taken for %v", p, got)
		}
	}
}

// FuzzPriority checks that exactly the four texts are read, and that anything else is the default.
func FuzzPriority(f *testing.F) {
	for _, text := range append([]string{"", "500", "-1", "1000000000", "CRITICAL", "critical,critical-plus", "critical ", "Priority(0)"}, priorityTexts...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := seawall.ParsePriority(text)
		want := slices.Index(priorityTexts, text)
		if want < 0 {
			if ok || p != seawall.Critical {
				t.Errorf("%q is read as %v, %v", text, p, ok)
			}
			return
		}
		if !ok || p != seawall.Sheddable+seawall.Priority(want) || p.String() != text {
			t.Errorf("%q is read as %v, %v", text, p, ok)
		}
	})
}
