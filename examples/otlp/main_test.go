package main

import (
	"strings"
	"testing"
)

func TestExampleSaysWhatItShows(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"attempts: 2 error: <nil>\n", "seawall.retry.attempts\n", "seawall.retry.calls\n"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing in\n%s", part, out.String())
		}
	}
}
