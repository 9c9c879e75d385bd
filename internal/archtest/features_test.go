package archtest_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table of features names the test of each: a name that is not there proves nothing.
func TestEveryFeatureNamesATestThatExists(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(repository(), "docs", "features.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testsByPackage(t)
	named := 0
	for line := range strings.Lines(string(table)) {
		names := regexp.MustCompile("`([a-z]+)\\.(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(line, -1)
		if strings.HasPrefix(line, "| ") && !strings.Contains(line, "proved by") && len(names) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, n := range names {
			named++
			if !tests[n[1]+"."+n[2]] {
				t.Errorf("there is no %s.%s", n[1], n[2])
			}
		}
	}
	if named == 0 {
		t.Error("no test is named at all")
	}
}

// testsByPackage are the tests of the root module, as folder.Name.
func testsByPackage(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	for _, p := range workspace(t) {
		if !p.inRootModule() {
			continue
		}
		fset := token.NewFileSet()
		for _, name := range p.tests() {
			for _, d := range parse(t, fset, p, name).Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					tests[p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]+"."+f.Name.Name] = true
				}
			}
		}
	}
	return tests
}
