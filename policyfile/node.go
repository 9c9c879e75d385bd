package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	maxSize   = 1 << 20 // bytes of a file
	maxDepth  = 64      // collections within each other
	maxVisits = 100_000 // nodes looked at, those behind an alias once for each use
)

// limits stop the parser at a depth that no policy needs.
type limits struct{}

func (limits) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	return nil
}

// CheckAlias has nothing to do: aliases are followed by the reader, which counts its visits.
func (limits) CheckAlias(int, int) error { return nil }

// reader walks the nodes of a file and collects what is wrong with them.
type reader struct {
	problems
	visits int
}

// parse makes nodes of a file that is to be what is wanted. It returns nil if there are none.
func (r *reader) parse(data []byte, want string) *yaml.Node {
	if len(data) > maxSize {
		r.add(0, "", "is longer than %d bytes", maxSize)
		return nil
	}
	var document yaml.Node
	err := yaml.Load(data, &document, yaml.WithPlugin(limits{}))
	if err != nil {
		line, text := 0, err.Error()
		if e, ok := errors.AsType[*yaml.LoadError](err); ok {
			line, text = e.Mark.Line, strings.TrimPrefix(e.Message, "yaml: ")
			switch {
			case text == "no documents in stream":
				text = "is empty, want " + want
			case strings.HasPrefix(text, "found character that cannot start") && indentedByTab(data, line):
				text = "is indented with a tab, want spaces"
			case e.ContextMsg != "":
				text += " " + e.ContextMsg
			}
		}
		r.add(line, "", "%s", text)
		return nil
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		r.add(0, "", "has no document")
		return nil
	}
	return r.follow(document.Content[0])
}

// indentedByTab reports whether there is a tab before the first word of a line, counted from 1.
func indentedByTab(data []byte, line int) bool {
	lines := bytes.SplitN(data, []byte("\n"), line+1)
	if line < 1 || line > len(lines) {
		return false
	}
	text := lines[line-1]
	return bytes.ContainsRune(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t')
}

// follow returns the node behind an alias, or n itself. It counts, so that aliases of aliases end; beyond the limit it
// returns nil.
func (r *reader) follow(n *yaml.Node) *yaml.Node {
	r.visits++
	if r.visits == maxVisits {
		r.only = fmt.Sprintf("has more than %d nodes with its aliases", maxVisits)
	}
	if r.visits >= maxVisits {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias // which is no alias itself
	}
	return n
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	line  int // of the key
	value *yaml.Node
}

// mapping returns the entries of a mapping. Those that it merges by << come behind its own, which win.
func (r *reader) mapping(n *yaml.Node, path, want string) (entries []entry, ok bool) {
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		r.add(n.Line, path, "is %s, want %s", describe(n), want)
		return nil, false
	}
	return r.merge(nil, n, path, 0), true
}

func (r *reader) merge(entries []entry, n *yaml.Node, path string, depth int) []entry {
	inherited, own := len(entries), map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], r.follow(n.Content[i+1])
		if value == nil {
			return entries
		}
		if key.ShortTag() == "!!merge" {
			continue
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" || key.Style&yaml.TaggedStyle != 0 {
			r.add(key.Line, path, "has %s as a key, want a word", describe(key))
			continue
		}
		if line, twice := own[key.Value]; twice {
			r.add(key.Line, join(path, pathKey(key.Value)), "is there twice, see line %d", line)
			continue
		}
		own[key.Value] = key.Line
		if !contains(entries[:inherited], key.Value) {
			entries = append(entries, entry{key.Value, key.Line, value})
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() != "!!merge" {
			continue
		}
		if source := r.follow(n.Content[i+1]); source != nil {
			entries = r.mergeFrom(entries, source, n.Content[i].Line, path, depth+1)
		}
	}
	return entries
}

// mergeFrom adds what a << names: a mapping, or several, of which the first wins.
func (r *reader) mergeFrom(entries []entry, source *yaml.Node, line int, path string, depth int) []entry {
	if depth > maxDepth {
		r.add(line, path, "merges more than %d levels by <<", maxDepth)
		return entries
	}
	switch {
	case source.Kind == yaml.MappingNode:
		return r.merge(entries, source, path, depth)
	case source.Kind == yaml.SequenceNode && len(source.Content) > 0:
		for _, n := range source.Content {
			if n = r.follow(n); n == nil {
				return entries
			}
			if n.Kind != yaml.MappingNode {
				r.add(line, path, "merges %s by <<, want mappings", describe(n))
				return entries
			}
			entries = r.merge(entries, n, path, depth)
		}
		return entries
	}
	r.add(line, path, "merges %s by <<, want a mapping", describe(source))
	return entries
}

func contains(entries []entry, key string) bool {
	for i := range entries {
		if entries[i].key == key {
			return true
		}
	}
	return false
}

// sequence returns the items of a sequence.
func (r *reader) sequence(n *yaml.Node, path, want string) (items []*yaml.Node, ok bool) {
	if n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq" {
		r.add(n.Line, path, "is %s, want %s", describe(n), want)
		return nil, false
	}
	for _, item := range n.Content {
		if item = r.follow(item); item == nil {
			return items, false
		}
		items = append(items, item)
	}
	return items, true
}

// isNull reports whether a value was left out behind its key, or is a null.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// isText reports whether a node is a plain or quoted text that means no number, truth or null.
func isText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && n.Style&yaml.TaggedStyle == 0
}

// describe says what a node is, for texts of problems.
func describe(n *yaml.Node) string {
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return "tagged " + n.Tag
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a sequence"
	case isNull(n):
		return "empty"
	case n.ShortTag() == "!!str":
		return strconv.Quote(shorten(n.Value))
	}
	return shorten(n.Value)
}

// shorten keeps a text of a file from filling a log.
func shorten(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// pathKey returns a key as a path has it: quoted if it could be taken for something else.
func pathKey(key string) string {
	if isPlain(key) {
		return key
	}
	return strconv.Quote(shorten(key))
}

// isPlain reports whether a word means itself in YAML, JSON apart, and in a path.
func isPlain(word string) bool {
	for i, c := range []byte(word) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '-' || c == '.' || c == '/')) {
			return false
		}
	}
	switch strings.ToLower(word) {
	case "", "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}
