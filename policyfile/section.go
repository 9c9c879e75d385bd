package policyfile

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Decode reads one Config from a document in YAML or JSON: what the file says, over base. So the numbers of a client or
// a server come from a file as strictly as those of a chain do.
//
//	# service.yaml
//	clients:
//	  prices: {timeout: 2s, idle_timeout: off, retry: {max_attempts: 2}}
//
//	cfg, err := policyfile.Decode(data, "clients.prices", httpx.ClientConfig{TrustPeer: httpx.TrustLoopback})
//
// C is a struct whose fields have yaml tags; Configs of this module do. The path leads to a mapping by the keys above
// it, with dots between them, and quotes around those that have a dot themselves; empty is the whole document. What else
// the document holds does not matter, but a file of chains takes such a section only below a key that begins with x-.
//
// The values are written as in chains: durations as 500ms, constants of Go as words. A policy in the Config has the keys
// and words that it has in a chain, but for names of budgets. Of what Validate says of any other field, ", or Off" makes
// the word off, ", or NoMargin" none, and ", or AtEnd" at_end, each for -1. A key that is left out, and a whole Config
// that is empty, is what base says. A sequence, and a mapping whose keys are free, is put in the place of that of base. A 0
// that is not known to mean 0 is refused, because it may mean the default.
//
// The result is checked by its Validate, if it has one, with its functions: they must be in base. On an error it is base,
// and the error is an [*Error] with everything that is wrong, each at its line; where an item of a sequence or a mapping lacks
// what is required, what Validate says of the other items may come up only after that. Decode keeps nothing of data,
// changes nothing that base points to, and may be called concurrently. It panics if C is not a struct.
//
// For a live reload decode the new content over the same base, and give the result to Update.
func Decode[C any](data []byte, path string, base C) (C, error) {
	if !isStruct(reflect.TypeFor[C]()) {
		panic(fmt.Sprintf("policyfile: Decode: C is %v, want a struct", reflect.TypeFor[C]()))
	}
	r := &reader{}
	root := r.parse(data, "a mapping")
	if root == nil {
		return base, r.err()
	}
	section, line := r.section(root, path)
	if section == nil {
		return base, r.err()
	}
	s := &loose[C]{base, base}
	d := &decoder{reader: r, at: path, words: s, lines: map[string]int{}}
	if !isNull(section) {
		if entries, ok := r.mapping(section, path, "a mapping"); ok {
			d.fill(s.config(), "", entries, nil)
		}
	}
	check(d, s, line, " (functions must be in the base)")
	if err := r.err(); err != nil {
		return base, err
	}
	return s.cfg, nil
}

// section returns the node at a path, with the line of its key, or nil.
func (r *reader) section(n *yaml.Node, path string) (section *yaml.Node, line int) {
	line = n.Line
	above := ""
	for _, key := range split(path) {
		entries, ok := r.mapping(n, above, "a mapping")
		if !ok {
			return nil, 0
		}
		above = join(above, key)
		if text, err := strconv.Unquote(key); err == nil {
			key = text
		}
		i := slices.IndexFunc(entries, func(e entry) bool { return e.key == key })
		if i < 0 {
			var keys []string
			for _, e := range entries {
				keys = append(keys, pathKey(e.key))
			}
			r.add(line, above, "%s", strings.Replace(unknown(key, keys), "unknown", "missing", 1))
			return nil, 0
		}
		n, line = entries[i].value, entries[i].line
	}
	return n, line
}
