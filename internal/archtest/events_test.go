package archtest_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the list of events anew")

var eventName = regexp.MustCompile(`^seawall\.[a-z_]+\.[a-z_]+$`)

// TestEventsAreTheDocumentedOnes compares the names and attributes of all events in the sources with docs/events.txt: both
// are what alerts and dashboards are made of.
func TestEventsAreTheDocumentedOnes(t *testing.T) {
	all := events{}
	for _, p := range workspace(t) {
		if !p.inRootModule() || strings.Contains(p.ImportPath, "/internal/archtest") {
			continue
		}
		fset, source := token.NewFileSet(), newSource()
		for _, name := range p.sources() {
			source.add(parse(t, fset, p, name))
		}
		source.events(all)
	}
	file := filepath.Join(repository(), "docs", "events.txt")
	if *update {
		if err := os.WriteFile(file, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if all.String() != string(want) {
		t.Errorf("the events are\n%s\ndocs/events.txt has\n%s\ngo test ./internal/archtest -run Events -update writes it anew", all, want)
	}
}

// events are the attributes of events by their names.
type events map[string]map[string]bool

// String is a line for each event: its name, and its attributes in alphabetical order.
func (e events) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e)) {
		b.WriteString(name + ": " + strings.Join(slices.Sorted(maps.Keys(e[name])), " ") + "\n")
	}
	return b.String()
}

// source is what is searched for events: the functions of a package.
type source struct {
	functions map[string][]*ast.FuncDecl
}

func newSource() *source { return &source{map[string][]*ast.FuncDecl{}} }

func (s *source) add(f *ast.File) {
	for _, d := range f.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			s.functions[f.Name.Name] = append(s.functions[f.Name.Name], f)
		}
	}
}

// events adds the events of the package: names that are given to a function or put into a struct, or that a variable is set
// to. Where the attributes are not beside the name they are those of the function, and of the one that is called if it is of
// this package.
func (s *source) events(all events) {
	for _, group := range s.functions {
		for _, f := range group {
			var path []ast.Node
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if n == nil {
					path = path[:len(path)-1]
					return true
				}
				path = append(path, n)
				if name, ok := text(n); ok && eventName.MatchString(name) {
					if keys, is := s.attributes(f, path); is {
						if all[name] == nil {
							all[name] = map[string]bool{}
						}
						maps.Copy(all[name], keys)
					}
				}
				return true
			})
		}
	}
}

// attributes returns those of the event at the end of a path, and false if it is none, but is compared with something or
// is the key of an attribute.
func (s *source) attributes(f *ast.FuncDecl, path []ast.Node) (map[string]bool, bool) {
	keys := map[string]bool{}
	switch parent := path[len(path)-2].(type) {
	case *ast.CallExpr:
		of, name := callee(parent)
		if of == "attribute" || of == "regexp" || of == "strings" || of == "errors" || name == "Shield" {
			return nil, false
		}
		keysOf(parent, keys)
		pairs(parent, path[len(path)-1], keys)
		for _, called := range s.functions[name] {
			keysOf(called.Body, keys)
		}
		if parent.Ellipsis.IsValid() {
			keysOf(f.Body, keys)
		}
	case *ast.CompositeLit:
		if _, list := parent.Type.(*ast.ArrayType); list {
			return nil, false
		}
		keysOf(parent, keys)
	case *ast.AssignStmt:
		keysOf(f.Body, keys)
	default:
		return nil, false
	}
	return keys, true
}

// callee returns the last two names of what is called.
func callee(call *ast.CallExpr) (of, name string) {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return "", f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			of = x.Name
		}
		return of, f.Sel.Name
	}
	return "", ""
}

// keysOf adds the keys of the attributes that are made somewhere in n.
func keysOf(n ast.Node, keys map[string]bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 2 {
			if of, name := callee(call); of == "slog" && name != "New" && name != "Group" {
				if key, ok := text(call.Args[0]); ok {
					keys[key] = true
				}
			}
		}
		return true
	})
}

// pairs adds the keys of a call in the manner of Warn("name", "key", value).
func pairs(call *ast.CallExpr, event ast.Node, keys map[string]bool) {
	for i := slices.IndexFunc(call.Args, func(a ast.Expr) bool { return a == event }) + 1; i < len(call.Args); i += 2 {
		key, ok := text(call.Args[i])
		if !ok {
			return
		}
		keys[key] = true
	}
}

// text returns what a literal of a string holds.
func text(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func TestEventsAreFoundInAllTheirForms(t *testing.T) {
	const code = `package p
func a() { r.Log(ctx, slog.LevelInfo, "seawall.a.one", slog.String("name", n), slog.Int("n", 1)) }
func b() { slog.Error("seawall.b.two", "name", n, "panic", v) }
func c() happening { return happening{level, "seawall.c.three", []slog.Attr{slog.String("check", c)}} }
func d() {
	event := "seawall.d.four"
	if over { event = "seawall.d.five" }
	r.Log(ctx, level, event, slog.Any("kind", k))
}
func e() { x.log("seawall.e.six", slog.Bool("own", true)) }
func (x *X) log(event string, attrs ...slog.Attr) { r.Log(ctx, level, event, append(attrs, slog.String("added", a))...) }
func f() { attrs := []slog.Attr{slog.String("far", v)}; r.Log(ctx, level, "seawall.f.seven", attrs...) }
func none() {
	switch e { case "seawall.no.case": }
	attribute.String("seawall.no.attribute", v)
	_ = e == "seawall.no.comparison"
	_ = []string{"seawall.no.list"}
}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	s, all := newSource(), events{}
	s.add(file)
	s.events(all)
	const want = `seawall.a.one: n name
seawall.b.two: name panic
seawall.c.three: check
seawall.d.five: kind
seawall.d.four: kind
seawall.e.six: added own
seawall.f.seven: far
`
	if all.String() != want {
		t.Errorf("found\n%s\nwant\n%s", all, want)
	}
}
