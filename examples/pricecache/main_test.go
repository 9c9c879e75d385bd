package main

import (
	"strings"
	"testing"
)

func TestProgramShowsWhatItSays(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"100 got a price, 995 on average", "calls of the service:   1\n", "calls of the service:   2, that there is no cup",
		"995, stale, recorded: true by cache \"prices\"", "health sees:            stale", "left alone:      true", "back:    1095",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}
