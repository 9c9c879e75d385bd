package archtest_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// programs is what an outsider's program does with each primitive, after `ctx := context.Background()`. A primitive
// without a row fails the test.
var programs = map[string]string{
	"breaker":   `err = breaker.New("outsider", breaker.Config{}).Do(ctx, op)`,
	"bulkhead":  `err = bulkhead.New("outsider", bulkhead.Config{Limit: 1}).Do(ctx, op)`,
	"degrade":   `err = degrade.NewFallback("outsider", degrade.FallbackConfig{Func: degrade.Value(1)}).Do(ctx, op)`,
	"fault":     `err = fault.New("outsider", fault.Config{}).Point("dependency").Do(ctx, op)`,
	"hedge":     `err = hedge.New("outsider", hedge.Config{}).Do(ctx, op)`,
	"ratelimit": `err = ratelimit.New("outsider", ratelimit.Config{Rate: 1}).Do(ctx, op)`,
	"retry":     `err = retry.New("outsider", retry.Config{}).Do(ctx, op)`,
	"timeout":   `err = timeout.New("outsider", timeout.Config{Limit: time.Minute}).Do(ctx, op)`,
}

// heavy is what no program compiles that imports one primitive.
var heavy = []string{
	"github.com/coder/websocket",
	"github.com/maypok86/otter",
	"go.opentelemetry.io",
	"google.golang.org/grpc",
	"net/http",
}

// seams are the heavy packages that a primitive is a seam of, so that its programs compile them.
var seams = map[string]string{"fault": "net/http"}

// T80: from outside of the module, with what the module's own go.mod says, a program that imports one primitive
// compiles none of the heavy packages, nor another primitive; and it runs.
func TestOutsiderPaysForOnePrimitiveOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program for each primitive")
	}
	existing := existingPrimitives(t)
	dir := outsider(t)
	for _, name := range existing {
		body, ok := programs[name]
		if !ok {
			t.Fatalf("primitive %s has no program", name)
		}
		write(t, filepath.Join(dir, name, "main.go"), program(name, body))
	}

	deps := goRun(t, dir, "list", "-f", "{{.ImportPath}} {{join .Deps \" \"}}", "./...")
	checked := 0
	for line := range strings.Lines(deps) {
		fields := strings.Fields(line)
		name := path.Base(fields[0])
		checked++
		for _, dep := range fields[1:] {
			beneath := func(h string) bool { return dep == h || strings.HasPrefix(dep, h+"/") }
			if slices.ContainsFunc(heavy, beneath) && !beneath(cmp.Or(seams[name], "none")) {
				t.Errorf("a program with %s compiles %s", name, dep)
			}
			if ours(dep) && room(dep) != name && layerOf(room(dep)) == primitives {
				t.Errorf("a program with %s compiles %s", name, dep)
			}
		}
	}
	if checked != len(existing) {
		t.Fatalf("%d programs were looked at, want %d", checked, len(existing))
	}

	goRun(t, dir, "build", "-o", filepath.Join(dir, "bin")+string(filepath.Separator), "./...")
	for _, name := range existing {
		out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "bin", name)).CombinedOutput()
		if err != nil || string(out) != "ran\n" {
			t.Errorf("the program with %s: %v: %s", name, err, out)
		}
	}
}

// T40: a program that imports all of the root module has no goroutine of it before main.
func TestImportingEverythingStartsNoGoroutine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program with every package")
	}
	var imports strings.Builder
	for _, p := range workspace(t) {
		if p.inRootModule() && room(p.ImportPath) != "internal" {
			fmt.Fprintf(&imports, "import _ %q\n", p.ImportPath)
		}
	}
	dir := outsider(t)
	write(t, filepath.Join(dir, "everything", "main.go"), `package main

import ("fmt"; "runtime")
`+imports.String()+`
func main() {
	buf := make([]byte, 1<<20)
	fmt.Printf("%s", buf[:runtime.Stack(buf, true)])
}
`)
	stacks := strings.Split(goRun(t, dir, "run", "./everything"), "\n\n")
	if !strings.Contains(stacks[0], "main.main()") {
		t.Fatalf("the first stack is not that of main: %s", stacks[0])
	}
	for _, stack := range stacks[1:] {
		if strings.Contains(stack, modulePath) {
			t.Errorf("runs before main:\n%s", stack)
		}
	}
}

func existingPrimitives(t *testing.T) (names []string) {
	t.Helper()
	for _, p := range workspace(t) {
		if r := room(p.ImportPath); p.ImportPath == modulePath+"/"+r && layerOf(r) == primitives {
			names = append(names, r)
		}
	}
	if len(names) == 0 {
		t.Fatal("no primitive was found")
	}
	return names
}

func program(name, body string) string {
	var clock string
	if strings.Contains(body, "time.") {
		clock = `import "time"`
	}
	return fmt.Sprintf(`package main

import ("context"; "fmt"; %q)
%s

func main() {
	ctx, err := context.Background(), error(nil)
	op := func(context.Context) error { _, err := fmt.Println("ran"); return err }
	%s
	if err != nil {
		panic(err)
	}
}
`, modulePath+"/"+name, clock, body)
}

// outsider makes an empty module that requires this one by its folder. It gets our checksums, so that it needs no
// network beside the modules that are there to test this repository at all.
func outsider(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), fmt.Sprintf(
		"module example.com/outsider\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %[1]s => %s\n", modulePath, repository()))
	sums, err := os.ReadFile(filepath.Join(repository(), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sums))
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// goRun runs the go command in an outsider's module.
func goRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := goTool(t.Context(), dir, []string{"GOWORK=off", "GOFLAGS=-mod=mod"}, args...)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
