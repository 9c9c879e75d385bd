package grpcx

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/timeout"
)

// rules is what a client does with the methods of a pattern, with the client's own in the place of what is not said.
type rules struct {
	cfg            *ClientConfig // in force when the call began
	idempotency    Idempotency
	group          string // empty is the service
	total          *timeout.Timeout
	totalTimeout   time.Duration // of total
	attemptTimeout time.Duration
	limits
	retryCodes []codes.Code
	hedge      *hedge.Hedge      // nil if the methods are not hedged
	hedged     *seawall.Pipeline // the retry with it
}

// target is what a client knows of a method at a target.
type target struct {
	*rules
	method     string
	idempotent bool
	key        groupKey
	saidSo     atomic.Bool // a call has, by CallIdempotent
}

// mayRepeat reports whether a call may be carried out twice, which it has perhaps said itself.
func (t *target) mayRepeat(said bool) bool {
	if said && !t.saidSo.Load() {
		t.saidSo.Store(true)
	}
	return said || t.idempotent
}

// methodTable is a ClientConfig made ready for the path of a call: it finds the target. The look-up of a method that was
// called before takes no lock.
type methodTable struct {
	cfg      *ClientConfig
	exact    map[string]*rules
	prefixes []prefix // the longest first
	others   *rules

	known atomic.Pointer[map[methodKey]*target]
	mu    sync.Mutex // serialises the changes of known
}

type methodKey struct{ target, method string }

type prefix struct {
	text string
	*rules
}

// maxKnown bounds what is remembered, for programs that pass on calls of methods that others name.
const maxKnown = 1000

// newMethodTable makes the table of a configuration that has its defaults. It knows the methods that were called before.
func (c *Client) newMethodTable(cfg *ClientConfig, called map[methodKey]*target) *methodTable {
	t := &methodTable{cfg: cfg, exact: map[string]*rules{}, others: c.newRules(cfg, "", MethodConfig{})}
	for _, pattern := range slices.Sorted(maps.Keys(cfg.Methods)) {
		r := c.newRules(cfg, pattern, cfg.Methods[pattern])
		if text, ok := strings.CutSuffix(pattern, "*"); ok {
			t.prefixes = append(t.prefixes, prefix{text, r})
		} else {
			t.exact[pattern] = r
		}
	}
	slices.SortStableFunc(t.prefixes, func(a, b prefix) int { return len(b.text) - len(a.text) })
	known := map[methodKey]*target{}
	for k, before := range called {
		known[k] = t.look(k)
		known[k].saidSo.Store(before.saidSo.Load())
	}
	t.known.Store(&known)
	return t
}

// find returns what is known of a method at the target of a connection.
func (t *methodTable) find(where, method string) *target {
	k := methodKey{where, method}
	if m, ok := (*t.known.Load())[k]; ok {
		return m
	}
	m := t.look(k)
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.known.Load()
	if len(old) < maxKnown {
		known := maps.Clone(old)
		known[k] = m
		t.known.Store(&known)
	}
	return m
}

func (t *methodTable) look(k methodKey) *target {
	r := t.rulesOf(k.method)
	of := r.group
	if of == "" {
		of = serviceOf(k.method)
	}
	return &target{
		rules: r, method: k.method,
		idempotent: r.idempotency == Idempotent || r.idempotency == FromProto && markedIdempotent(k.method),
		key:        unique.Make(group{k.target, of}),
	}
}

func (t *methodTable) rulesOf(method string) *rules {
	if r, ok := t.exact[method]; ok {
		return r
	}
	for _, p := range t.prefixes {
		if strings.HasPrefix(method, p.text) {
			return p.rules
		}
	}
	return t.others
}

// rules returns the rules by their pattern.
func (t *methodTable) rules() iter.Seq2[string, *rules] {
	return func(yield func(string, *rules) bool) {
		if !yield("", t.others) {
			return
		}
		for pattern, r := range t.exact {
			if !yield(pattern, r) {
				return
			}
		}
		for _, p := range t.prefixes {
			if !yield(p.text+"*", p.rules) {
				return
			}
		}
	}
}

// all returns what is known, in the order of methods and targets.
func (t *methodTable) all() []*target {
	return slices.SortedFunc(maps.Values(*t.known.Load()), func(a, b *target) int {
		if c := strings.Compare(a.method, b.method); c != 0 {
			return c
		}
		return strings.Compare(a.key.Value().target, b.key.Value().target)
	})
}

// serviceOf returns the service of a full method name: catalog.v1.Catalog of /catalog.v1.Catalog/GetItem.
func serviceOf(method string) string {
	method = strings.TrimPrefix(method, "/")
	if i := strings.LastIndexByte(method, '/'); i >= 0 {
		return method[:i]
	}
	return method
}

// markedIdempotent reports whether the proto file of a method says that it may be carried out twice.
func markedIdempotent(method string) bool {
	d := describe(method)
	if d == nil {
		return false
	}
	options, ok := d.Options().(*descriptorpb.MethodOptions)
	if !ok {
		return false
	}
	switch options.GetIdempotencyLevel() {
	case descriptorpb.MethodOptions_NO_SIDE_EFFECTS, descriptorpb.MethodOptions_IDEMPOTENT:
		return true
	case descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN:
	}
	return false
}

// describe returns what the program knows of a method from its proto file, nil if nothing.
func describe(method string) protoreflect.MethodDescriptor {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil
	}
	m, _ := d.(protoreflect.MethodDescriptor)
	return m
}

var errPattern = errors.New("a full method name, such as /catalog.v1.Catalog/GetItem, or the beginning of one and *")

func validatePattern(pattern string) error {
	text, open := strings.CutSuffix(pattern, "*")
	service, method, whole := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	switch {
	case !strings.HasPrefix(text, "/"), strings.ContainsAny(text, "*"), strings.Contains(method, "/"):
		return errPattern
	case !open && (!whole || service == "" || method == ""):
		return errPattern
	}
	return nil
}
