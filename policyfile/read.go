package policyfile

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/seawall-go/seawall"
	"go.yaml.in/yaml/v4"
)

// documentReader reads a document.
type documentReader struct {
	reader
	document
	bindings   []Binding
	bound      []bool // which of the bindings found a policy
	registry   *seawall.Registry
	detached   *seawall.Registry // for the policies of keyed chains
	taken      map[id]taken
	budgetKeys []string
}

// taken is where a name was given.
type taken struct {
	path string
	line int
}

// read reads a file.
func read(file string, data []byte, opts Options) (*documentReader, error) {
	r := &documentReader{
		reader:   reader{problems: problems{file: file}},
		bindings: opts.Bind,
		bound:    make([]bool, len(opts.Bind)),
		registry: opts.Registry,
		detached: opts.Registry.Detached(),
		taken:    map[id]taken{},
	}
	if root := r.parse(data, "a mapping with chains"); root != nil {
		r.top(root)
	}
	return r, r.err()
}

func (r *documentReader) top(root *yaml.Node) {
	entries, ok := r.mapping(root, "", "a mapping with chains")
	if !ok {
		return
	}
	var chains *entry
	for i, e := range entries {
		switch {
		case e.key == "budgets":
			r.readBudgets(e)
		case e.key == "chains":
			chains = &entries[i]
		case strings.HasPrefix(e.key, "x-"): // a place for anchors
		default:
			r.add(e.line, pathKey(e.key), "%s", unknown(e.key, []string{"budgets", "chains", "x-..."}))
		}
	}
	if chains == nil {
		r.add(root.Line, "", "has no chains")
		return
	}
	named, ok := r.mapping(chains.value, "chains", "a mapping from names to chains")
	if ok && len(named) == 0 {
		r.add(chains.line, "chains", "is empty")
	}
	for _, e := range named {
		if r.name(e.key, e.line, join("chains", pathKey(e.key))) {
			r.readChain(e)
		}
	}
}

// name reports whether a name is fit for logs and metrics.
func (r *documentReader) name(name string, line int, path string) bool {
	const most = 64
	if name == "" || len(name) > most || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		r.add(line, path, "is a bad name, want 1 to %d bytes that print", most)
		return false
	}
	return true
}

func (r *documentReader) readBudgets(e entry) {
	named, ok := r.mapping(e.value, "budgets", "a mapping from names to budgets")
	if !ok {
		return
	}
	for _, e := range named {
		path := join("budgets", pathKey(e.key))
		r.budgetKeys = append(r.budgetKeys, e.key)
		if !r.name(e.key, e.line, path) {
			continue
		}
		s := budgetKind.blank()
		d := &decoder{reader: &r.reader, at: path, words: s.kind(), lines: map[string]int{}}
		if !isNull(e.value) {
			entries, ok := r.mapping(e.value, path, "a mapping with ratio and burst")
			if !ok {
				continue
			}
			d.fill(s.config(), "", entries, nil)
		}
		if check(d, s, e.line, seeBind) {
			cfg := s.config().Interface().(seawall.BudgetConfig)
			r.budgets = append(r.budgets, &budgetSpec{e.key, cfg, seawall.NewBudget(cfg)})
		}
	}
}

func (r *documentReader) readChain(e entry) {
	path := join("chains", pathKey(e.key))
	c := &chainSpec{name: e.key, line: e.line}
	r.chains = append(r.chains, c) // also one that is wrong: it is not missing
	policies, line := e.value, e.line
	if e.value.Kind == yaml.MappingNode {
		entries, _ := r.mapping(e.value, path, "")
		policies = nil
		for _, e := range entries {
			switch e.key {
			case "policies":
				policies, line = e.value, e.line
			case "per_key":
				r.readPerKey(c, e, join(path, e.key))
			default:
				r.add(e.line, join(path, pathKey(e.key)), "%s", unknown(e.key, []string{"per_key", "policies"}))
			}
		}
		if policies == nil {
			r.add(e.line, path, "has no policies")
			return
		}
		path = join(path, "policies")
	}
	items, ok := r.sequence(policies, path, "a sequence of policies, the outermost first")
	if ok && len(items) == 0 {
		r.add(line, path, "is empty")
	}
	for i, item := range items {
		r.readPolicy(c, item, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (r *documentReader) readPerKey(c *chainSpec, e entry, path string) {
	c.keyed, c.maxKeys = true, defaultMaxKeys
	if isNull(e.value) {
		return
	}
	entries, _ := r.mapping(e.value, path, "a mapping with max_keys")
	for _, e := range entries {
		path := join(path, pathKey(e.key))
		if e.key != "max_keys" {
			r.add(e.line, path, "%s", unknown(e.key, []string{"max_keys"}))
			continue
		}
		v := reflect.ValueOf(&c.maxKeys).Elem()
		if e.value.Kind != yaml.ScalarNode || !setScalar(v, e.value) || c.maxKeys < 1 || c.maxKeys > mostKeys {
			r.add(e.line, path, "is %s, want 1 to %d", describe(e.value), mostKeys)
		}
	}
}
