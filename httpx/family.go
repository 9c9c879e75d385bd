package httpx

import (
	"maps"
	"sync"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/foremost"
	"github.com/seawall-go/seawall/internal/keyed"
)

// kept is a policy of one host.
type kept interface {
	seawall.Member
	seawall.Keeper
}

// family is a bounded family of policies by host, of a kind that has no Group of its own. It is one member of the
// registry, with the sums of what its members count.
type family[V kept] struct {
	kind, name string
	config     func() any // the one in force, of which members are made
	members    *keyed.Map[hostKey, V]
	shown      keyed.Places[hostKey, seawall.Snapshot]

	mu      sync.Mutex         // guards retired
	retired map[string]float64 // the counts of what was forgotten
}

// newFamily makes a family, of which kind, name and config are set, of at most n hosts beside those that must be kept.
func newFamily[V kept](registry *seawall.Registry, f *family[V], n int, build func(hostKey) V) *family[V] {
	f.retired = map[string]float64{}
	f.members = keyed.NewMap(n, build, V.Keep)
	f.members.OnForget(f.forget)
	seawall.Register(registry, f.kind, &f.name, f)
	return f
}

func (f *family[V]) forget(v V) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, value := range v.Snapshot().Values {
		if _, gauge := gauges[value.Name]; !gauge {
			f.retired[value.Name] += value.V
		}
	}
}

// gauges are the values that go with their member; true for those whose sum says something.
var gauges = map[string]bool{
	"limit": true, "limit.learned": true, "active": true, "pending": true,
	"delay": false, "expected_wait": false, "latency.baseline": false,
}

// For returns the policy of a host, and makes it if there is none.
func (f *family[V]) For(k hostKey) V { return f.members.Get(k) }

// Name returns the name under which the registry knows the family.
func (f *family[V]) Name() string { return f.name }

// Member returns the policy of a name, such as catalog[https://api.example], for debug pages, and nil if there is none.
func (f *family[V]) Member(name string) seawall.Member {
	for k, v := range f.members.All() {
		if f.memberName(k) == name {
			return v
		}
	}
	return nil
}

// Config returns the configuration of each member, for debug pages.
func (f *family[V]) Config() any { return f.config() }

// mostMembers is how many members a snapshot has, as those of groups.
const mostMembers = 32

// Snapshot returns the sums, and up to 32 members as a group does.
func (f *family[V]) Snapshot() seawall.Snapshot {
	s := seawall.Snapshot{Kind: f.kind, Name: f.name}
	sums := map[string]int{}
	add := func(name string, v float64) {
		i, ok := sums[name]
		if !ok {
			i = len(s.Values)
			sums[name] = i
			s.Values = append(s.Values, seawall.Value{Name: name})
		}
		s.Values[i].V += v
	}
	all := map[hostKey]seawall.Snapshot{}
	for key, v := range f.members.All() { // which may tell events, so not below
		all[key] = v.Snapshot()
	}
	add("members", float64(len(all)))
	for _, of := range all {
		for _, value := range of.Values {
			if sums, gauge := gauges[value.Name]; sums || !gauge {
				add(value.Name, value.V)
			}
		}
	}
	s.Members = f.shown.Choose(maps.All(all), mostMembers, foremost.Claim)
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, v := range f.retired {
		add(name, v)
	}
	return s
}

// memberName returns the name of the member for a host, in the form of groups.
func (f *family[V]) memberName(k hostKey) string { return keyed.MemberName(f.name, k.String()) }
