package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// storesContext are the structs that may have a field of type context.Context, as folder.Type, with the reason. They
// are contexts themselves, and hold the one that they were derived from.
var storesContext = map[string]string{
	"fault.timed":         "the context of a call that a fault stretches: it carries the start to the end of the call",
	"grpcx.entrance":      "the opening of a stream before the gates, whose total limit ends a wait there",
	"grpcx.fresh":         "the context of a call that has only just begun, which spares its policies a look at the clock",
	"grpcx.impatient":     "the context of a hedge before the gates, with a deadline that lets none of them wait",
	"grpcx.inNoTime":      "the context of a tap, in which nothing may wait",
	"grpcx.opening":       "the caller's context with the deadline of a stream's first answer",
	"grpcx.serverStream":  "a stream of grpc-go's, whose Context method is how a handler gets its own",
	"grpcx.streamAttempt": "the context of an attempt, which lives as long as the stream",
	"httpcache.lifespan":  "the context of a request to the origin, which outlives the caller who began it and tells that one's deadline",
	"httpx.impatient":     "the context of a hedge before the gates, with a deadline that lets none of them wait",
	"httpx.keySpy":        "a context that notes under which key package httptrace asks for a trace",
	"httpx.limitContext":  "the context of a handler, with a deadline that can be lifted",
	"httpx.limitRoot":     "what limitContext is derived from, so that it ends with the error that we say",
	"httpx.liveContext":   "what a limitContext becomes when somebody waits for its end",
	"httpx.scope":         "the context of an attempt, which lives as long as the response's body",
	"httpx.standard":      "what a httpx.scope becomes when somebody waits for its end",
	"internal.Repeating":  "the context of a handler, with a note of its clients whose attempts are used up",
	"timeout.scope":       "the context of a timed call, which arms no timer before somebody waits for its end",
	"timeout.standard":    "what a timeout.scope becomes then",
}

// keepsMonotonicTime are the rooms whose durations must survive a step of the wall clock.
var keepsMonotonicTime = []string{"breaker", "retry", "ratelimit", "bulkhead"}

// finding is something in a source file that breaks a rule.
type finding struct {
	pos  token.Pos
	what string
}

// eachSource calls check for the files of the root module's packages that programs get.
func eachSource(t *testing.T, check func(p pkg, f *ast.File) []finding) {
	t.Helper()
	files := 0
	for _, p := range workspace(t) {
		if !p.inRootModule() {
			continue
		}
		fset := token.NewFileSet()
		for _, name := range p.sources() {
			files++
			for _, found := range check(p, parse(t, fset, p, name)) {
				t.Errorf("%s: %s", fset.Position(found.pos), found.what)
			}
		}
	}
	if files == 0 {
		t.Error("no file was looked at")
	}
}

// T10: durations come from the monotonic clock only.
func TestPrimitivesDoNotDropTheMonotonicReading(t *testing.T) {
	eachSource(t, func(p pkg, f *ast.File) []finding {
		if !slices.Contains(keepsMonotonicTime, room(p.ImportPath)) {
			return nil
		}
		return wallClocks(f)
	})
}

// T68: a context comes in by argument only.
func TestNoStructStoresAContext(t *testing.T) {
	used := map[string]bool{}
	eachSource(t, func(p pkg, f *ast.File) []finding {
		var found []finding
		for _, s := range contextFields(f) {
			name := room(p.ImportPath) + "." + s.what
			used[name] = true
			if _, allowed := storesContext[name]; !allowed {
				found = append(found, finding{s.pos, "struct " + name + " stores a context: pass it as an argument"})
			}
		}
		return found
	})
	for name := range storesContext {
		if !used[name] {
			t.Errorf("%s stores no context: remove it from the list", name)
		}
	}
}

// A policy that draws elsewhere than at internal/dice makes simulations that do not repeat themselves. The token of the
// debug page is no draw of a policy, and must never be a seeded one.
func TestPoliciesDrawWhereASimulationCanSeedThem(t *testing.T) {
	eachSource(t, func(p pkg, f *ast.File) []finding {
		if layer := layerOf(room(p.ImportPath)); p.ImportPath == modulePath+"/internal/dice" || layer > adapters ||
			p.ImportPath == modulePath+"/telemetry/debugpage" {
			return nil
		}
		return draws(f)
	})
}

// T40: nothing happens at import.
func TestNothingRunsAtImport(t *testing.T) {
	eachSource(t, func(_ pkg, f *ast.File) []finding { return importEffects(f) })
}

// T40: whatever a test leaves running is found.
func TestEveryPackageOfTheRootModuleChecksForLeaks(t *testing.T) {
	for _, p := range workspace(t) {
		if !p.inRootModule() {
			continue
		}
		fset := token.NewFileSet()
		if !slices.ContainsFunc(p.tests(), func(name string) bool { return callsLeaktest(parse(t, fset, p, name)) }) {
			t.Errorf("%s has no func TestMain(m *testing.M) { leaktest.Main(m) }", p.ImportPath)
		}
	}
}

// wallClocks finds what makes of a time.Time something that moves with the wall clock.
func wallClocks(f *ast.File) (found []finding) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if strings.HasPrefix(n.Sel.Name, "Unix") {
				found = append(found, finding{n.Pos(), n.Sel.Name + " reads the wall clock: use mono.Now"})
			}
		case *ast.CallExpr:
			s, ok := n.Fun.(*ast.SelectorExpr)
			if ok && (s.Sel.Name == "Round" || s.Sel.Name == "Truncate") && len(n.Args) == 1 && isZero(n.Args[0]) {
				found = append(found, finding{n.Pos(), s.Sel.Name + "(0) drops the monotonic reading"})
			}
		}
		return true
	})
	return found
}

// draws finds calls of the generators that a program shares. A generator of one's own has a seed.
func draws(f *ast.File) (found []finding) {
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if ok && x.Name == "rand" && s.Sel.Name != "New" && s.Sel.Name != "NewPCG" && s.Sel.Name != "Rand" && s.Sel.Name != "Source" {
			found = append(found, finding{s.Pos(), "rand." + s.Sel.Name + " cannot be seeded: use internal/dice"})
		}
		return true
	})
	return found
}

func isZero(e ast.Expr) bool {
	l, ok := e.(*ast.BasicLit)
	return ok && l.Value == "0"
}

// contextFields finds the fields of type context.Context, and says the name of their struct type.
func contextFields(f *ast.File) (found []finding) {
	owner := "(unnamed)"
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			owner = n.Name.Name
		case *ast.FuncDecl:
			owner = "(in " + n.Name.Name + ")"
		case *ast.StructType:
			for _, field := range n.Fields.List {
				if isContext(field.Type) {
					found = append(found, finding{field.Pos(), owner})
				}
			}
		}
		return true
	})
	return found
}

func isContext(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Context" {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "context"
}

// importEffects finds functions init, and goroutines that start when a package's variables are made.
func importEffects(f *ast.File) (found []finding) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				found = append(found, finding{d.Pos(), "init runs at import"})
			}
		case *ast.GenDecl:
			ast.Inspect(d, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					found = append(found, finding{g.Pos(), "a variable's initial value starts a goroutine"})
				}
				return true
			})
		}
	}
	return found
}

// callsLeaktest reports whether a file's TestMain is under the leak check.
func callsLeaktest(f *ast.File) (calls bool) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "TestMain" {
			ast.Inspect(fn, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok || s.Sel.Name != "Main" {
					return true
				}
				x, ok := s.X.(*ast.Ident)
				calls = calls || ok && x.Name == "leaktest"
				return true
			})
		}
	}
	return calls
}

// The rules themselves, so that a slip in one does not pass for clean sources.
func TestSourceRulesFindWhatTheyMust(t *testing.T) {
	for _, c := range []struct {
		name, source string
		rule         func(*ast.File) []finding
		want         int
	}{
		{"wall clock", `func f(t time.Time) { t.UnixNano(); t.Round(0); t.UnixMilli(); t.Truncate(0) }`, wallClocks, 4},
		{"no wall clock", `func f(t time.Time, d time.Duration) { t.Sub(t); d.Round(time.Second) }`, wallClocks, 0},
		{"shared generators", `func f() { rand.Float64(); g(rand.Uint64N) }`, draws, 2},
		{"own generators", `func f(r *rand.Rand) { rand.New(rand.NewPCG(1, 2)); r.Float64() }`, draws, 0},
		{"stored contexts", `type a struct { ctx context.Context }; type b struct { context.Context }
			func f() { _ = struct { c context.Context }{} }`, contextFields, 3},
		{"no stored context", `type a struct { f func(context.Context) }; func f(ctx context.Context) {}`, contextFields, 0},
		{"effects", `func init() {}; var x = func() int { go f(); return 1 }()`, importEffects, 2},
		{"no effect", `type t int; func (t) init() {}; func f() { go f() }; var x = 1`, importEffects, 0},
	} {
		f, err := parser.ParseFile(token.NewFileSet(), c.name+".go", "package p\n"+c.source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.rule(f); len(got) != c.want {
			t.Errorf("%s: found %v, want %d", c.name, got, c.want)
		}
	}
}
