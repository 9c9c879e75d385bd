package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
	"github.com/seawall-go/seawall/internal/shrink"
)

const (
	propertyTTL   = 10 * time.Second
	propertyStale = 40 * time.Second
	propertyLoad  = 200 * time.Millisecond // the longest load
	propertyNodes = 3
	propertyKeys  = 3
)

// step is one operation of the property test.
type step struct {
	what operation
	node int
	key  int
	wait time.Duration // before it
}

type operation uint8

const (
	opGet operation = iota
	opWrite
	opExpire
	opRemove
	opExpireTag
	opRemoveTag
	opClear
	opPut
	opGetMany
	opSourceDown
	opSourceUp
	opDeaf
	opHear
	opMute
	opSpeak
	opLayerDown
	opLayerUp
	operations
)

func (o operation) String() string {
	return [...]string{
		"get", "write", "expire", "remove", "expireTag", "removeTag", "clear", "put", "getMany", "sourceDown", "sourceUp", "deaf",
		"hear", "mute", "speak", "layerDown", "layerUp",
	}[o]
}

func (s step) String() string {
	return fmt.Sprintf("%v: node %d key %d %v", s.wait, s.node, s.key, s.what)
}

// model is the source, and what a slow and simple mind knows of it: when each version of a key was replaced, and since
// when nobody may see it at all.
type model struct {
	mu       sync.Mutex // guards the fields below
	down     bool
	version  [propertyKeys]int
	replaced [propertyKeys]map[int]time.Time // version → when it was no longer the source's
	silent   [propertyKeys]bool              // nobody was told of the last write
}

func (m *model) write(key int, silent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent[key] = silent
	m.replaced[key][m.version[key]] = time.Now()
	m.version[key]++
}

func (m *model) read(key int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return 0, errDown
	}
	return m.version[key], nil
}

// age is how long a version has not been the source's.
func (m *model) age(key, version int) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := m.replaced[key][version]; ok {
		return time.Since(at)
	}
	return 0
}

// No read returns a value that is older than its policy allows, whatever fails; and when all is well again, every node
// says what the source says.
func TestNoReadIsOlderThanItsPolicyAllowsAndEveryNodeConverges(t *testing.T) {
	rounds := 150
	if testing.Short() || raceEnabled {
		rounds = 40
	}
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprint("L2 ", shared), func(t *testing.T) {
			for round := range rounds {
				seed := uint64(round + 1)
				random := rand.New(rand.NewPCG(seed, 0))
				steps := make([]step, 120)
				for i := range steps {
					steps[i] = step{
						what: operation(random.IntN(int(operations))), node: random.IntN(propertyNodes), key: random.IntN(propertyKeys),
						wait: time.Duration(random.ExpFloat64() * float64(300*time.Millisecond)),
					}
					switch random.IntN(12) {
					case 0:
						steps[i].wait = time.Duration(random.Int64N(int64(propertyTTL)))
					case 1, 2, 3, 4, 5:
						steps[i].what = opGet
					}
				}
				fails := func(steps []step) bool { return play(t, shared, seed, steps) != nil }
				if err := play(t, shared, seed, steps); err != nil {
					shortest := shrink.List(steps, 1, fails)
					t.Fatalf("seed %d: %v\nshortest: %v\n%v", seed, err, play(t, shared, seed, shortest), shortest)
				}
			}
		})
	}
}

// play carries the steps out, and returns the first thing that is wrong.
func play(t *testing.T, shared bool, seed uint64, steps []step) (wrong error) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, shared, seed)
		for _, s := range steps {
			time.Sleep(s.wait)
			p.do(s)
			if p.wrong() != nil {
				break
			}
		}
		if p.wrong() == nil {
			p.converge()
		}
		p.running.Wait()
		for _, n := range p.nodes {
			_ = n.Close(context.Background())
		}
		wrong = p.wrong()
	})
	return wrong
}

// player carries out the steps of one run.
type player struct {
	source  *model
	nodes   []*node
	running sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	err    error
	random *rand.Rand // of loads
}

func newPlay(t *testing.T, shared bool, seed uint64) *player {
	p := &player{source: &model{}, random: rand.New(rand.NewPCG(seed, 1))}
	for key := range propertyKeys {
		p.source.replaced[key] = map[int]time.Time{}
	}
	never := breaker.Config{MinCalls: 1_000_000, Window: breaker.Window{Calls: 1_000_000}}
	var memory *cachetest.Memory
	if shared {
		memory = &cachetest.Memory{}
	}
	bus := &cache.Bus{}
	for range propertyNodes {
		p.nodes = append(p.nodes, newNode(t, config{
			TTL: propertyTTL, MaxStale: propertyStale, Jitter: 0.3, EarlyRefresh: 1, RetryEvery: time.Second,
			Soft: 50 * time.Millisecond, L2: cache.L2Config{Breaker: never}, Peers: cache.PeersConfig{Breaker: never},
		}, memory, bus))
	}
	return p
}

func (p *player) wrong() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *player) complain(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func name(key int) string { return string(rune('a' + key)) }

// load reads the source first, and then takes its time, in which the source may change.
func (p *player) load(ctx context.Context, key string) (int, error) {
	values, err := p.loadMany(ctx, []string{key})
	return values[key], err
}

func (p *player) loadMany(ctx context.Context, keys []string) (map[string]int, error) {
	p.mu.Lock()
	takes := time.Duration(p.random.Int64N(int64(propertyLoad)))
	p.mu.Unlock()
	values := map[string]int{}
	for _, key := range keys {
		cache.DescribeKey(ctx, key, cache.Tags("tag "+key))
		k := int(key[0] - 'a')
		v, err := p.source.read(k)
		if err != nil {
			time.Sleep(takes)
			return nil, err
		}
		values[key] = v*propertyKeys + k
	}
	time.Sleep(takes)
	return values, nil
}

func (p *player) do(s step) {
	ctx, n, key := context.Background(), p.nodes[s.node], name(s.key)
	switch s.what {
	case opGet:
		p.running.Go(func() {
			r, err := n.Lookup(ctx, key, p.load)
			p.check(s, r, err)
		})
	case opGetMany:
		p.running.Go(func() {
			values, _ := n.GetMany(ctx, []string{"a", "b", "c"}, p.loadMany)
			for k, v := range values {
				if v%propertyKeys != int(k[0]-'a') {
					p.complain("%v: key %s has the value of another one", s, k)
				}
			}
		})
	case opWrite:
		p.source.write(s.key, true)
	case opExpire:
		p.source.write(s.key, false)
		n.Expire(ctx, key)
	case opRemove:
		p.source.write(s.key, false)
		n.Remove(ctx, key)
		p.checkGone(s, n)
	case opExpireTag:
		p.source.write(s.key, false)
		n.ExpireTags(ctx, "tag "+key)
	case opRemoveTag:
		p.source.write(s.key, false)
		n.RemoveTags(ctx, "tag "+key)
		p.checkGone(s, n)
	case opClear:
		n.Clear(ctx)
		p.checkGone(s, n)
	case opPut:
		p.source.write(s.key, false)
		p.source.mu.Lock()
		v := p.source.version[s.key]
		p.source.mu.Unlock()
		_ = n.Put(ctx, key, v*propertyKeys+s.key, cache.Tags("tag "+key))
	case opSourceDown, opSourceUp:
		p.source.mu.Lock()
		p.source.down = s.what == opSourceDown
		p.source.mu.Unlock()
	case opDeaf:
		n.plane.lose()
	case opHear:
		n.plane.hear()
	case opMute, opSpeak:
		n.plane.down.Store(s.what == opMute)
	case opLayerDown, opLayerUp:
		n.layer.down.Store(s.what == opLayerDown)
	}
}

// check holds an answer against what its policy allows. The value was the source's when the load began: so long before the
// end of its time to live, and of what may be stale.
func (p *player) check(s step, r cache.Result[int], err error) {
	if err != nil {
		if !errors.Is(err, errDown) {
			p.complain("%v: %v", s, err)
		}
		return
	}
	if r.Value%propertyKeys != s.key {
		p.complain("%v: %d is the value of another key", s, r.Value)
		return
	}
	age := p.source.age(s.key, r.Value/propertyKeys)
	allowed := propertyTTL + propertyLoad
	if r.State == cache.Stale {
		allowed += propertyStale
	}
	if age > allowed || r.Age > propertyTTL+propertyStale || age > r.Age+propertyLoad {
		p.complain("%v: %v version %d is %v old, and says %v", s, r.State, r.Value/propertyKeys, age, r.Age)
	}
}

// checkGone wants nothing of what the node has removed.
func (p *player) checkGone(s step, n *node) {
	if r, ok := n.Peek(name(s.key)); ok {
		p.complain("%v: there still is %+v", s, r)
	}
}

// converge makes all well, and wants every node to say what the source says, before any time to live has ended. What was
// written without a word to anybody is expired.
func (p *player) converge() {
	ctx := context.Background()
	p.source.mu.Lock()
	p.source.down = false
	p.source.mu.Unlock()
	for _, n := range p.nodes {
		n.plane.down.Store(false)
		n.layer.down.Store(false)
	}
	for key, silent := range p.source.silent {
		if silent {
			p.nodes[0].ExpireTags(ctx, "tag "+name(key))
		}
	}
	for _, n := range p.nodes {
		n.plane.hear()
	}
	time.Sleep(3 * time.Second) // RecoverEvery, and the allowance for clocks
	p.running.Wait()
	for round := range 2 {
		for i, n := range p.nodes {
			for key := range propertyKeys {
				r, err := n.Lookup(ctx, name(key), p.load)
				if r.State == cache.Stale { // a load took longer than Soft
					time.Sleep(propertyLoad)
					r, err = n.Lookup(ctx, name(key), p.load)
				}
				if want := p.source.version[key]*propertyKeys + key; err != nil || r.Value != want {
					p.complain("in the end, round %d, node %d says %s is %+v, %v, want %d", round, i, name(key), r, err, want)
				}
			}
			if w := n.Stats().Recovery.Waiting; w > 0 {
				p.complain("in the end %d changes of node %d wait", w, i)
			}
		}
	}
}
