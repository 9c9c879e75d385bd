package policyfile

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
)

// Reference writes the kinds of policies with their keys, defaults and ranges, as they are in this version: what a
// program can print for its --help. The keys' meanings are in the documentation of each Config.
func Reference(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.DiscardEmptyColumns)
	for _, k := range append([]kind{budgetKind}, kinds...) {
		describeKind(table, k)
	}
	return table.Flush()
}

func describeKind(w io.Writer, k kind) {
	title := k.key()
	if k == budgetKind {
		title = "budgets.<name>"
	}
	fmt.Fprintf(w, "%s\n", title) //nolint:errcheck // Flush tells
	if k != budgetKind {
		row(w, "name", "the chain's name", "text")
	}
	s, required := sample(k, 1)
	another, _ := sample(k, 1000)
	defaults, others := s.resolved().config(), another.resolved().config()
	for l := range leaves(defaults) {
		row(w, l.path, defaultText(k, l, at(others, l.path), slices.Contains(required, l.path)), valuesOf(k, l))
	}
}

func row(w io.Writer, cells ...string) {
	fmt.Fprintf(w, "  %s\n", strings.Join(cells, "\t")) //nolint:errcheck // Flush tells
}

// defaultText says what a key is when it is left out. A default that follows from what is required has no text.
func defaultText(k kind, l leaf, other reflect.Value, required bool) string {
	switch {
	case required:
		return "required"
	case !l.value.Equal(other):
		return "depends"
	case number(l.value) && l.value.IsZero():
		return "-"
	}
	return scalarText(l.value, l.path, k)
}

// valuesOf says which values a key may have.
func valuesOf(k kind, l leaf) string {
	want := rangeOf(k, l.path)
	switch {
	case hasText(l.value.Type()):
		return strings.Join(textsOf(l.value.Type()), ", ")
	case want == "":
		return describeType(l.value.Type(), wordsOf(k.words(), l.path))
	case l.value.Type() == durationType:
		return "duration, " + want
	}
	return want
}
