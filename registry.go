package seawall

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/seawall-go/seawall/internal/events"
)

// Member is what a [Registry] holds: every policy of this module.
type Member interface {
	// Snapshot returns the member's state and counts. It may run beside calls.
	Snapshot() Snapshot
}

// Snapshot is what a [Member] says of itself, for people and for telemetry.
type Snapshot struct {
	Kind   string // such as "breaker"
	Name   string
	Mode   Mode
	State  string // such as "half_open"; empty if the kind has no states
	Values []Value
	// Members are those of a keyed family that have most to say, at most 32: first the ones that are open or in a mode set by
	// hand, then the busiest.
	Members []Snapshot
}

// Value is one number of a [Snapshot].
type Value struct {
	Name string // such as "calls.failure"; the same name has the same meaning in every snapshot of a kind
	V    float64
}

// Registry knows the policies of a program by weak pointers: it lists them, and keeps none of them alive. A policy enters
// it when it is made. The zero Registry is ready for use, and safe for concurrent use.
type Registry struct {
	logger   atomic.Pointer[slog.Logger]
	parent   *Registry // whose logger it is; nil if its own
	detached bool      // nothing enters it
	watchers atomic.Pointer[[]*watcher]

	observers atomic.Pointer[[]*observer] // nil if there are none

	mu      sync.Mutex // guards the fields below
	members map[memberKey]entered
	latest  map[memberKey]int // the last number given to an equal name
	sweepAt int               // number of members at which the dropped ones are swept out
}

type memberKey struct{ kind, name string }

// entered is a member, and where it was made.
type entered struct {
	member func() Member
	stack  [10]uintptr
}

var defaultRegistry Registry

// DefaultRegistry returns the registry that policies enter whose Config names none.
func DefaultRegistry() *Registry { return &defaultRegistry }

// Register enters a policy under its kind and *name. If another living policy has both, *name gets a number, such as
// payments#2, and that is logged, with the lines of the program that made the two. *name is changed before anybody can see m
// through the registry. A nil Registry is the default one. The caller is the policy's New:
//
//	b := &Breaker{name: name}
//	seawall.Register(cfg.Registry, "breaker", &b.name, b)
func Register[T any, M interface {
	*T
	Member
}](r *Registry, kind string, name *string, m M) {
	r = r.orDefault()
	if r.detached {
		return
	}
	pointer := weak.Make((*T)(m))
	member := func() Member {
		if p := pointer.Value(); p != nil {
			return M(p)
		}
		return nil
	}
	asked, e := *name, entered{member: member}
	runtime.Callers(3, e.stack[:]) // behind New
	r.enter(kind, name, e)
	if *name != asked {
		r.Logger().Warn("seawall.registry.name_taken", "kind", kind, "name", asked, "renamed", *name,
			"made_at", r.MadeAt(kind, *name), "first_made_at", r.MadeAt(kind, asked))
	}
}

// Detached returns a registry that nothing enters, for the members of a family, which are many and come and go. What they
// have to log goes where r's events go.
func (r *Registry) Detached() *Registry { return &Registry{parent: r.orDefault(), detached: true} }

func (r *Registry) orDefault() *Registry {
	if r == nil {
		return &defaultRegistry
	}
	return r
}

func (r *Registry) enter(kind string, name *string, e entered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members == nil {
		r.members, r.latest, r.sweepAt = map[memberKey]entered{}, map[memberKey]int{}, 64
	}
	if len(r.members) >= r.sweepAt {
		r.sweepLocked()
	}
	key := memberKey{kind, *name}
	asked := memberKey{kind, unnumbered(*name)} // what is part of payments#2 may be numbered itself: then it is payments#3
	for n := max(2, r.latest[asked]+1); ; n++ {
		if other, taken := r.members[key]; !taken || other.member() == nil {
			break
		}
		key.name = fmt.Sprintf("%s#%d", asked.name, n)
		r.latest[asked] = n
	}
	*name = key.name
	r.members[key] = e
}

// unnumbered returns a name without the number that Register has given it.
func unnumbered(name string) string {
	base, number, ok := strings.Cut(name, "#")
	if _, err := strconv.ParseUint(number, 10, 31); ok && base != "" && err == nil {
		return base
	}
	return name
}

// sweepLocked forgets the dropped members. It runs each time their number may have doubled, so that entering costs a
// constant on average, and no goroutine is needed.
func (r *Registry) sweepLocked() {
	for key, e := range r.members {
		if e.member() == nil {
			delete(r.members, key)
		}
	}
	for key := range r.latest {
		if _, living := r.members[key]; !living {
			delete(r.latest, key)
		}
	}
	r.sweepAt = max(64, 2*len(r.members))
}

// Members returns the living members, ordered by kind and name.
func (r *Registry) Members() []Member {
	type entry struct {
		memberKey
		m Member
	}
	r = r.orDefault()
	r.mu.Lock()
	var living []entry
	for key, e := range r.members {
		if m := e.member(); m != nil {
			living = append(living, entry{key, m})
		}
	}
	r.mu.Unlock()
	slices.SortFunc(living, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	members := make([]Member, len(living))
	for i := range living {
		members[i] = living[i].m
	}
	return members
}

// MadeAt returns the line of the program that made a member, such as "shop/main.go:42", and "" if there is none of that kind
// and name. It is for the debug page, and slow.
func (r *Registry) MadeAt(kind, name string) string {
	r = r.orDefault()
	r.mu.Lock()
	e := r.members[memberKey{kind, name}]
	r.mu.Unlock()
	frames := runtime.CallersFrames(e.stack[:])
	for {
		frame, more := frames.Next()
		if frame.Function != "" && !ours(frame.Function) {
			folder, file := filepath.Split(frame.File)
			return fmt.Sprintf("%s/%s:%d", filepath.Base(folder), file, frame.Line)
		}
		if !more {
			return ""
		}
	}
}

// ours reports whether a function is of a package of this library: what it makes for a program was made by the program.
func ours(function string) bool {
	rest, ok := strings.CutPrefix(function, "github.com/seawall-go/seawall")
	if !ok || rest == "" || rest[0] != '.' && rest[0] != '/' { // another module may begin like this one
		return false
	}
	folder, last := path.Split(rest)
	name, _, _ := strings.Cut(last, ".")
	room, _, _ := strings.Cut(strings.TrimPrefix(folder+name, "/"), "/")
	switch room {
	case "demo", "examples", "benchmarks", "conformance":
		return false
	}
	return !strings.HasSuffix(name, "_test")
}

// Snapshots returns the snapshots of the living members, ordered by kind and name. A member whose Snapshot panics is left
// out, and the panic is logged: those who ask do so in the background, where it would end the program.
func (r *Registry) Snapshots() []Snapshot {
	members := r.Members()
	snapshots := make([]Snapshot, 0, len(members))
	for _, m := range members {
		events.Shield(r.Logger(), "registry", "snapshot", func() { snapshots = append(snapshots, m.Snapshot()) })
	}
	return snapshots
}

// SetLogger sets where the members' events go. The default is slog.Default, looked up at each event.
func (r *Registry) SetLogger(l *slog.Logger) { r.orDefault().logger.Store(l) }

// Logger returns where the members' events go.
func (r *Registry) Logger() *slog.Logger {
	for r = r.orDefault(); r != nil; r = r.parent {
		if l := r.logger.Load(); l != nil {
			return l
		}
	}
	return slog.Default()
}

// Log writes an event with a stable name, such as seawall.breaker.state_changed, to the logger, and tells those who
// watch, also if the logger panics. The caller holds no lock: handler and watchers are the user's.
func (r *Registry) Log(ctx context.Context, level slog.Level, event string, attrs ...slog.Attr) {
	defer r.tell(level, event, attrs)
	r.Logger().LogAttrs(ctx, level, event, attrs...)
}
