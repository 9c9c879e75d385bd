package policyfile

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

// Options are what a file cannot say. The zero Options are ready for use.
type Options struct {
	// Bind gives policies their functions; see [Bind].
	Bind []Binding
	// Require names chains that the program is going to ask for. A file without one of them is refused, where
	// [Set.Chain] would panic.
	Require []string
	// Strict refuses a file for its [Finding]s. Otherwise they are logged as warnings.
	Strict bool
	// OnReload is told of each change of the file that was taken over or refused after the first load. It runs on the
	// goroutine that reloads, outside of all locks; of two reloads at once, either may be told first. A panic of it is
	// that goroutine's. nil is off.
	OnReload func(Reloaded)
	// Label names a key of a keyed chain, for people and logs. Default the key itself; it is cut to 64 characters. A key
	// that a log must not have needs one.
	Label func(key string) string
	// Registry is where the policies enter themselves, and where events are logged. Default
	// [seawall.DefaultRegistry]. Policies of keyed chains enter none.
	Registry *seawall.Registry
}

// Set is the chains of a policy file. Make it with [Load], [LoadFS] or [Parse]. It is safe for concurrent use.
type Set struct {
	file string
	open func() (fs.File, error) // nil for Parse
	opts Options

	reloading sync.Mutex // guards tried, and lets one reload come after the other
	tried     []byte     // the latest content, taken over or refused

	mu     sync.Mutex // guards the fields below, never held while policies change
	chains map[string]*Chain
	keyed  map[string]*Keyed

	current atomic.Pointer[state]
}

// state is a content of the file with the policies that it made.
type state struct {
	document *document
	roster   roster // of the plain chains
	findings []Finding
}

// Load reads a policy file and makes its chains. The error is the system's if the file cannot be read, and else an
// [*Error] with all that is wrong with it.
func Load(path string, opts Options) (*Set, error) {
	return load(path, func() (fs.File, error) { return os.Open(path) }, opts)
}

// LoadFS is [Load] from a file system, such as one that is embedded in the program.
func LoadFS(fsys fs.FS, path string, opts Options) (*Set, error) {
	return load(path, func() (fs.File, error) { return fsys.Open(path) }, opts)
}

func load(path string, open func() (fs.File, error), opts Options) (*Set, error) {
	s := newSet(path, opts)
	s.open = open
	data, err := s.read()
	if err != nil {
		return nil, err
	}
	return s.first(data)
}

// Parse makes the chains of a file that is in memory. [Set.Update] changes it.
func Parse(data []byte, opts Options) (*Set, error) { return newSet("", opts).first(data) }

func newSet(file string, opts Options) *Set {
	opts.Bind, opts.Require = slices.Clone(opts.Bind), slices.Clone(opts.Require)
	s := &Set{file: file, opts: opts, chains: map[string]*Chain{}, keyed: map[string]*Keyed{}}
	s.current.Store(&state{document: &document{}, roster: roster{}})
	return s
}

func (s *Set) first(data []byte) (*Set, error) {
	if _, err := s.replace(data); err != nil {
		return nil, err
	}
	return s, nil
}

// read reads the file, and not much more of it than a file may have.
func (s *Set) read() ([]byte, error) {
	f, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("policyfile: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("policyfile: %s: %w", s.file, err)
	}
	return data, nil
}

// Chain returns a chain of the file. From then on a file that lacks it is refused, so what is returned stays in force.
// It panics if there is no such chain, as regexp.MustCompile does: name it in [Options.Require] to have an error
// instead.
func (s *Set) Chain(name string) *Chain {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.chains[name]
	if !ok {
		panic("policyfile: " + s.missingLocked(name, "chain"))
	}
	c.used.Store(true)
	return c
}

// Keyed returns a keyed chain of the file, as [Set.Chain] does.
func (s *Set) Keyed(name string) *Keyed {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keyed[name]
	if !ok {
		panic("policyfile: " + s.missingLocked(name, "keyed chain"))
	}
	k.used.Store(true)
	return k
}

func (s *Set) missingLocked(name, what string) string {
	file := s.file
	if file == "" {
		file = "the file"
	}
	names := slices.Sorted(maps.Keys(s.chains))
	for _, k := range slices.Sorted(maps.Keys(s.keyed)) {
		names = append(names, k+" (keyed)")
	}
	return fmt.Sprintf("%s has no %s %q, only %s", file, what, name, strings.Join(names, ", "))
}

// Names returns the names of all chains, in the order of the file.
func (s *Set) Names() []string {
	chains := s.current.Load().document.chains
	names := make([]string, len(chains))
	for i, c := range chains {
		names[i] = c.name
	}
	return names
}

// Findings returns what [seawall.Pipeline.Lint] finds in the chains as the file has them, in its order.
func (s *Set) Findings() []Finding { return slices.Clone(s.current.Load().findings) }

// Finding is a [seawall.Finding] in a chain of a file.
type Finding struct {
	Chain string
	seawall.Finding
}

// String returns such as: chains.payments: nested_retry: retry "a", retry "b": ...
func (f Finding) String() string { return join("chains", pathKey(f.Chain)) + ": " + f.Finding.String() }
