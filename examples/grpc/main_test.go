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
		`GetItem, nothing is wrong: +OK after 1 call`,
		`GetItem, two failures: +OK after 3 call`,
		`PutItem, which is idempotent, one failure: +OK after 2 call`,
		`OrderItem, one failure, which may have acted: +Unavailable after 1 call`,
		`ListItems, a failure before the first: +OK after 2 call`,
		`OrderItem, the server is full: +OK after [1-2] retry, told to wait at least a second: true`,
		`is down: +[12]?[0-9] reached it, (8|9)[0-9] were refused`,
		`until when: +Unavailable, open, retry in [0-9.]+m?s`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}
