package archtest_test

import (
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageHasAPlaceInTheHouse(t *testing.T) {
	for _, p := range workspace(t) {
		if r := room(p.ImportPath); r != "internal" && layerOf(r) < 0 {
			t.Errorf("%s: folder %q has no row in the table of layers", p.ImportPath, r)
		}
	}
}

func TestNoImportRunsUpward(t *testing.T) {
	for _, p := range workspace(t) {
		check := func(imports []string, test bool) {
			for _, to := range imports {
				if !ours(to) {
					continue
				}
				if why := refusal(room(p.ImportPath), room(to), test); why != "" {
					t.Errorf("%s imports %s (in tests: %t): %s", p.ImportPath, to, test, why)
				}
			}
		}
		check(p.Imports, false)
		check(p.TestImports, true)
		check(p.XTestImports, true)
	}
}

func TestRootModuleImportsNoLibraryElsewhereThanInItsRoom(t *testing.T) {
	for _, p := range workspace(t) {
		if !p.inRootModule() {
			continue
		}
		for _, to := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if foreign(to) && !slices.Contains(roomsOf(to), room(p.ImportPath)) {
				t.Errorf("%s imports %s, which only %v may", p.ImportPath, to, roomsOf(to))
			}
		}
	}
}

// roomsOf is the rooms that may import a library.
func roomsOf(importPath string) []string {
	for library, rooms := range libraries {
		if importPath == library || strings.HasPrefix(importPath, library+"/") {
			return rooms
		}
	}
	return nil
}

// The rule itself, so that a slip in it does not pass for a clean house.
func TestArrowRuleRefusesWhatItMust(t *testing.T) {
	for _, c := range []struct {
		from, to string
		test     bool
		allowed  bool
	}{
		{"breaker", ".", false, true},
		{"breaker", "internal", false, true},
		{".", "internal", false, true},
		{"internal", ".", false, true},
		{"httpx", "breaker", false, true},
		{"wsx", "httpx", false, true},
		{"httpcache", "cache", false, true},
		{"demo", "httpx", false, true},
		{"retry", "breaker", true, true},
		{".", "breaker", true, true},

		{".", "breaker", false, false},
		{"internal", "breaker", false, false},
		{"retry", "breaker", false, false},
		{"fault", "timeout", false, false},
		{"breaker", "telemetry", false, false},
		{"breaker", "httpx", true, false},
		{".", "httpx", true, false},
		{"cache", "httpx", false, false},
		{"httpx", "seawalltest", false, false},
		{"demo", "benchmarks", false, false},
		{"nowhere", ".", false, false},
		{"demo", "nowhere", true, false},
	} {
		if got := refusal(c.from, c.to, c.test) == ""; got != c.allowed {
			t.Errorf("%s imports %s (test %t): allowed %t, want %t", c.from, c.to, c.test, got, c.allowed)
		}
	}
	if !foreign("golang.org/x/time/rate") || foreign("net/http") || foreign(modulePath+"/breaker") {
		t.Error("foreign does not know what is foreign")
	}
	if roomsOf("google.golang.org/grpc/codes") == nil || roomsOf("google.golang.org/grpclike") != nil {
		t.Error("roomsOf does not end a path at a slash")
	}
}
