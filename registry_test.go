package seawall_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// member is a policy as the registry sees it. It is large enough not to share its memory with others.
type member struct {
	kind, name string
	_          [64]byte
}

func (m *member) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{Kind: m.kind, Name: m.name}
}

func enter(r *seawall.Registry, kind, name string) *member {
	m := &member{kind: kind, name: name}
	seawall.Register(r, kind, &m.name, m)
	return m
}

func names(r *seawall.Registry) (all []string) {
	for _, s := range r.Snapshots() {
		all = append(all, s.Kind+" "+s.Name)
	}
	return all
}

func silentRegistry() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// T77
func TestRegistryKeepsNothingAlive(t *testing.T) {
	r := new(seawall.Registry)
	kept := enter(r, "breaker", "kept")
	for i := range 100_000 {
		enter(r, "breaker", fmt.Sprint("dropped ", i))
		if i%20_000 == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
	if got := names(r); len(got) > 100 || !slices.Contains(got, "breaker kept") {
		t.Errorf("%d members are there", len(got))
	}
	runtime.GC()
	r.SetLogger(slog.New(slog.DiscardHandler))
	for i := range 200_000 { // enough for it to notice; each name twice
		enter(r, "breaker", fmt.Sprint("dropped ", i/2))
		if i%20_000 == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
	if got := names(r); !slices.Equal(got, []string{"breaker kept"}) {
		t.Errorf("the members are %q", got)
	}
	if got := r.Held(); got > 50_000 {
		t.Errorf("%d entries are held for one member", got)
	}
	runtime.KeepAlive(kept)
}

// T77: equal names get numbers, and a warning.
func TestRegistryTellsEqualNamesApart(t *testing.T) {
	r, log := new(seawall.Registry), &trace{}
	r.SetLogger(logger(log))
	all := []*member{
		enter(r, "breaker", "db"), enter(r, "breaker", "db"), enter(r, "retry", "db"), enter(r, "breaker", "db"),
		enter(r, "breaker", "db#2"), enter(r, "breaker", "db#4"), enter(r, "breaker", "db"),
	}
	var got []string
	for _, m := range all {
		got = append(got, m.kind+" "+m.name)
	}
	want := []string{"breaker db", "breaker db#2", "retry db", "breaker db#3", "breaker db#4", "breaker db#5", "breaker db#6"}
	if !slices.Equal(got, want) {
		t.Errorf("the names are %q, want %q", got, want)
	}
	slices.Sort(want)
	if got := names(r); !slices.Equal(got, want) {
		t.Errorf("the registry has %q, want %q", got, want)
	}
	for i, want := range []string{
		"kind=breaker name=db renamed=db#2",
		"kind=breaker name=db renamed=db#3",
		"kind=breaker name=db#2 renamed=db#4", // and not db#2#2
		"kind=breaker name=db#4 renamed=db#5",
		"kind=breaker name=db renamed=db#6",
	} {
		events := log.list()
		if i >= len(events) || !strings.HasPrefix(events[i], "seawall.registry.name_taken "+want+" made_at=") {
			t.Fatalf("events are %q, want one of %q", events, want)
		}
	}
	runtime.KeepAlive(all)
}

// Each of many equal names costs the same. A search from the first number on would be quadratic.
func TestRegistryIsNotSlowedDownByEqualNames(t *testing.T) {
	r := silentRegistry()
	start := time.Now()
	var kept []*member
	for range 20_000 {
		kept = append(kept, enter(r, "breaker", "db"))
	}
	if last := kept[len(kept)-1].name; last != "db#20000" {
		t.Errorf("the last one is %q", last)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// T77: the name of a policy that was dropped is free.
func TestRegistryGivesTheNameOfADroppedPolicyAgain(t *testing.T) {
	r := silentRegistry()
	enter(r, "breaker", "db")
	runtime.GC()
	m := enter(r, "breaker", "db")
	if m.name != "db" {
		t.Errorf("the name is %q", m.name)
	}
	runtime.KeepAlive(m)
}

// T77
func TestRegistryReadsWhileMembersComeAndGo(t *testing.T) {
	r := silentRegistry()
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got := names(r)
				if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("not in order, or not each once: %q", got)
					return
				}
				r.Logger()
			}
		})
	}
	var workers sync.WaitGroup
	for i := range 4 {
		workers.Go(func() {
			kept := make([]*member, 10)
			for j := range 3000 {
				kept[j%len(kept)] = enter(r, "breaker", fmt.Sprint("name ", (i+j)%20))
				r.SetLogger(slog.New(slog.DiscardHandler))
			}
		})
	}
	for range 5 {
		runtime.GC()
	}
	workers.Wait()
	close(stop)
	all.Wait()
}

// T77: whoever shows a name escapes it; the registry does not change it.
func TestRegistryLeavesHostileNamesAlone(t *testing.T) {
	r := silentRegistry()
	hostile := []string{"", `<script>alert("1")</script>`, "a\nb{c=\"d\"} 1", "#2", "\xff\x00", "日本", strings.Repeat("x", 10_000)}
	var kept []*member
	for _, name := range hostile {
		m := enter(r, "breaker", name)
		if m.name != name {
			t.Errorf("%q became %q", name, m.name)
		}
		kept = append(kept, m)
	}
	var got []string
	for _, s := range r.Snapshots() {
		got = append(got, s.Name)
	}
	slices.Sort(hostile)
	if !slices.Equal(got, hostile) {
		t.Errorf("the registry has %q", got)
	}
	runtime.KeepAlive(kept)
}

func TestNilRegistryIsTheDefaultOne(t *testing.T) {
	log := captured(t)
	var none *seawall.Registry
	m := enter(none, "test", t.Name())
	if !slices.Contains(names(seawall.DefaultRegistry()), "test "+t.Name()) || !slices.Contains(names(none), "test "+t.Name()) {
		t.Error("it is not there")
	}
	none.Log(t.Context(), slog.LevelInfo, "seawall.test", slog.Int("n", 1))
	log.want(t, "seawall.test n=1")
	runtime.KeepAlive(m)
}

func TestRegistryLogsWhereItIsTold(t *testing.T) {
	byDefault, own, r := captured(t), &trace{}, new(seawall.Registry)
	r.Log(context.Background(), slog.LevelInfo, "first")
	r.SetLogger(logger(own))
	r.Log(context.Background(), slog.LevelWarn, "second", slog.Duration("d", time.Second))
	r.SetLogger(nil)
	r.Logger().Info("third")
	byDefault.want(t, "first", "third")
	own.want(t, "second d=1s")
}

// T77: the members of a family do not flood the registry, and are heard all the same.
func TestDetachedRegistryListsNothingAndLogsWithItsParent(t *testing.T) {
	var log bytes.Buffer
	parent := &seawall.Registry{}
	detached := parent.Detached()
	parent.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	for range 2 {
		enter(detached, "member", "same")
	}
	if got := len(detached.Members()) + len(parent.Members()); got != 0 {
		t.Errorf("%d members", got)
	}
	if log.Len() > 0 {
		t.Errorf("equal names were reported: %s", log.String())
	}
	detached.Log(t.Context(), slog.LevelInfo, "seawall.test.event")
	if !strings.Contains(log.String(), "seawall.test.event") {
		t.Errorf("the parent's log holds %q", log.String())
	}
}

func TestRegistryKnowsTheLineThatMadeAMember(t *testing.T) {
	r := silentRegistry()
	b := bulkhead.New("stock", bulkhead.Config{Registry: r})
	if got := r.MadeAt("bulkhead", "stock"); !regexp.MustCompile(`^[^/]+/registry_test\.go:\d+$`).MatchString(got) {
		t.Errorf("made at %q", got)
	}
	if got := r.MadeAt("bulkhead", "other"); got != "" {
		t.Errorf("what is not there was made at %q", got)
	}
	runtime.KeepAlive(b)
}

// broken is a member whose Snapshot panics.
type broken struct {
	name string
	_    [64]byte
}

func (*broken) Snapshot() seawall.Snapshot { panic("ouch") }

// T3: telemetry and health ask in the background, where a panic ends the program.
func TestMemberThatPanicsIsLeftOutOfTheSnapshots(t *testing.T) {
	r, log := new(seawall.Registry), &bytes.Buffer{}
	r.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	a, z := enter(r, "test", "a"), enter(r, "test", "z")
	b := &broken{name: "b"}
	seawall.Register(r, "test", &b.name, b)
	if got := names(r); !slices.Equal(got, []string{"test a", "test z"}) || !strings.Contains(log.String(), "ouch") {
		t.Errorf("the members are %q, and the log is %q", got, log)
	}
	runtime.KeepAlive([]any{a, z, b})
}

func TestModuleWithALikeNameIsNotOurs(t *testing.T) {
	for function, want := range map[string]bool{
		"github.com/seawall-go/seawall.Register":             true,
		"github.com/seawall-go/seawall/breaker.New":          true,
		"github.com/seawall-go/seawall/breaker_test.TestX":   false,
		"github.com/seawall-go/seawall/demo/internal/x.F":    false,
		"github.com/seawall-go/seawall-shop/breaker.New":     false,
		"github.com/seawall-go/seawall":                      false,
		"example.com/github.com/seawall-go/seawall/shop.New": false,
	} {
		if got := seawall.Ours(function); got != want {
			t.Errorf("%s: %t", function, got)
		}
	}
}
