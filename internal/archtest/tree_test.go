package archtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// pkg is a package of the workspace, as go list tells it.
type pkg struct {
	ImportPath string
	Dir        string
	Module     struct{ Path string }

	GoFiles, IgnoredGoFiles   []string
	TestGoFiles, XTestGoFiles []string

	Imports, TestImports, XTestImports []string
}

// sources are the files that programs get; also those for other platforms.
func (p pkg) sources() []string {
	return slices.DeleteFunc(slices.Concat(p.GoFiles, p.IgnoredGoFiles), func(name string) bool {
		return strings.HasSuffix(name, "_test.go")
	})
}

// tests are the files that only go test sees.
func (p pkg) tests() []string { return slices.Concat(p.TestGoFiles, p.XTestGoFiles) }

// inRootModule leaves out what protoc has generated for tests: it has no tests, and enters a registry at import.
func (p pkg) inRootModule() bool {
	return p.Module.Path == modulePath && !strings.HasSuffix(p.ImportPath, "/internal/echopb")
}

var listed = sync.OnceValues(func() ([]pkg, error) {
	out, err := goTool(context.Background(), repository(), nil, "list", "-json", "work")
	if err != nil {
		return nil, err
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
})

// workspace returns all packages of all modules.
func workspace(t *testing.T) []pkg {
	t.Helper()
	pkgs, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) == 0 {
		t.Fatal("go list found no package")
	}
	noteTree(t)
	return pkgs
}

// repository is the folder of go.work.
func repository() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err) // the working directory is gone
	}
	return dir
}

// noteTree lets go test see what the result depends on. Its cache knows the files that the test itself opens, not those
// that a go command reads for it, and would go on reporting an old success.
func noteTree(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(repository(), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".":
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go") || strings.HasPrefix(d.Name(), "go."):
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// parse reads a file of a package.
func parse(t *testing.T, fset *token.FileSet, p pkg, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// goTool runs the go command in a folder. Without extra environment it works in the repository's workspace, whatever
// this test was started with: each module alone is tested without it.
func goTool(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK="+filepath.Join(repository(), "go.work"))
	cmd.Env = append(cmd.Env, env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, &toolError{strings.Join(args, " "), stderr.String(), err}
	}
	return out, nil
}

type toolError struct {
	args, stderr string
	err          error
}

func (e *toolError) Error() string { return "go " + e.args + ": " + e.err.Error() + "\n" + e.stderr }
func (e *toolError) Unwrap() error { return e.err }
