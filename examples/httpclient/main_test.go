package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestProgramShowsWhatItSays(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{ // regular expressions
		`a GET, nothing is wrong:                     200 after 1 request\(s\), 0 of them repeats`,
		`a GET, two failures:                         200 after 3 request\(s\), 2 of them repeats`,
		`a POST, one failure, which may have acted:   503 after 1 request\(s\), 0 of them repeats`,
		`a POST with a key, one failure:              200 after 2 request\(s\), 1 of them repeats`,
		"is down: +[12]?[0-9] requests reached it, (8|9)[0-9] calls were refused",
		"until when: +open, retry in [0-9.]+m?s",
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}
