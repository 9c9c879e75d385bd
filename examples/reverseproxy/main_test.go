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
		`the origin drops a connection: 200 "from the origin" after 2 requests`,
		"the origin has some left, and less: true",
		"the origin is down: of 50 requests 4",
		"says when to come back: true, and that nothing was started: refused",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}
