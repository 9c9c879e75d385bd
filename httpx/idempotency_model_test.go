package httpx_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/internal/shrink"
)

// keyOp is one step of a history of requests: what, of which of two keys, with which of two bodies; n chooses among the
// handlers that run, or is a number of seconds.
type keyOp struct{ what, key, body, n int }

const (
	opStart  = iota // a request comes
	opCreate        // a handler answers 201
	opFail          // a handler answers 500
	opPanic
	opFinal // a handler says that its 500 is final
	opLose  // a handler panics after it has said so
	opCrash // the process of a handler dies: what it does from then on nobody sees
	opWait
	opCount
)

const (
	modelLease = 10 * time.Second
	modelKeep  = 60 * time.Second
)

// owner is a request whose handler runs, in a process of its own.
type owner struct {
	id, key, body int
	crashed       atomic.Bool
	end           chan int // the op that ends it
	reply         chan string
}

// process is the store as the process of an owner sees it.
type process struct {
	httpx.IdempotencyStore
	crashed *atomic.Bool
}

func (p process) Finish(ctx context.Context, l httpx.Lease, a httpx.StoredAnswer, keep time.Duration) error {
	if p.crashed.Load() {
		return nil
	}
	return p.IdempotencyStore.Finish(ctx, l, a, keep)
}

func (p process) Release(ctx context.Context, l httpx.Lease) error {
	if p.crashed.Load() {
		return nil
	}
	return p.IdempotencyStore.Release(ctx, l)
}

// entryModel is what should be under a key.
type entryModel struct {
	running, done bool
	owner, body   int
	until         time.Time
	answer        string
}

type keyModel struct {
	store   *httpx.MemoryStore
	owners  []*owner
	started int
	entries [2]entryModel
}

// look returns the entry of a key at this instant.
func (m *keyModel) look(key int) *entryModel {
	e := &m.entries[key]
	if !time.Now().Before(e.until) {
		*e = entryModel{}
	}
	return e
}

// found is what a request with a body gets that does not run the handler.
func (e *entryModel) found(body int) string {
	switch {
	case e.body != body:
		return "422"
	case e.running:
		return "409"
	}
	return e.answer + " again"
}

// request sends a request, and returns the reply or the owner that it has become.
func (m *keyModel) request(op keyOp) (*owner, string) {
	m.started++
	o := &owner{id: m.started, key: op.key, body: op.body, end: make(chan int), reply: make(chan string, 1)}
	in := make(chan struct{}, 1)
	keys := httpx.NewIdempotency("model", httpx.IdempotencyConfig{
		Lease: modelLease, Keep: modelKeep, Tenant: httpx.OneTenant, Registry: quiet(),
		Store: process{m.store, &o.crashed},
	})
	handler := keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in <- struct{}{}
		switch <-o.end { // whatever its context says
		case opCreate:
			w.WriteHeader(201)
		case opFail:
			w.WriteHeader(500)
		case opFinal:
			httpx.Final(r.Context())
			w.WriteHeader(500)
		case opLose:
			httpx.Final(r.Context())
			panic("lost")
		default:
			panic("a bug")
		}
		fmt.Fprint(w, " by ", o.id)
	}))
	req := httptest.NewRequest("POST", "/", strings.NewReader(fmt.Sprint("body ", op.body)))
	req.Header.Set("Idempotency-Key", fmt.Sprint("key-", op.key))
	go func() {
		w := httptest.NewRecorder()
		defer func() {
			text := fmt.Sprint(w.Code)
			switch {
			case recover() != nil:
				text = "panic"
			case w.Code == 201 || w.Header().Get("Seawall-Pushback") == "final":
				text += w.Body.String()
			}
			if w.Header().Get("Idempotent-Replayed") == "true" {
				text += " again"
			}
			o.reply <- text
		}()
		handler.ServeHTTP(w, req)
	}()
	synctest.Wait()
	select {
	case <-in:
		return o, ""
	default:
		return nil, <-o.reply
	}
}

// do makes a step, and says what is not as it should be.
func (m *keyModel) do(op keyOp) error {
	switch op.what {
	case opWait:
		time.Sleep(time.Duration(op.n) * time.Second)
		return nil
	case opStart:
		e := m.look(op.key)
		o, reply := m.request(op)
		switch free := !e.running && !e.done; {
		case free && o == nil, !free && o != nil:
			return fmt.Errorf("the handler runs: %v, want %v; the reply is %q", o != nil, free, reply)
		case free:
			*e = entryModel{running: true, owner: o.id, body: op.body, until: time.Now().Add(modelLease)}
			m.owners = append(m.owners, o)
		case reply != e.found(op.body):
			return fmt.Errorf("the reply is %q, want %q", reply, e.found(op.body))
		}
		return nil
	}
	if len(m.owners) == 0 {
		return nil
	}
	i := op.n % len(m.owners)
	o := m.owners[i]
	if op.what == opCrash {
		o.crashed.Store(true)
		return nil
	}
	m.owners = append(m.owners[:i:i], m.owners[i+1:]...)
	o.end <- op.what
	reply := <-o.reply
	if o.crashed.Load() { // nobody sees the reply
		return nil
	}
	if want := m.ended(o, op.what); reply != want {
		return fmt.Errorf("owner %d gets %q, want %q", o.id, reply, want)
	}
	return nil
}

// ended makes of the model what an owner's end makes of the store, and returns its reply.
func (m *keyModel) ended(o *owner, how int) (reply string) {
	e := m.look(o.key)
	owns := e.running && e.owner == o.id
	free := !e.running && !e.done
	done := func(answer string) {
		*e = entryModel{done: true, body: o.body, until: time.Now().Add(modelKeep), answer: answer}
	}
	switch how {
	case opFail, opPanic:
		if owns {
			*e = entryModel{}
		}
		return map[int]string{opFail: "500", opPanic: "panic"}[how]
	case opLose:
		if owns {
			done("500")
		}
		return "panic"
	}
	answer := fmt.Sprintf("%d by %d", map[int]int{opCreate: 201, opFinal: 500}[how], o.id)
	if owns || free {
		done(answer)
		return answer
	}
	if found := e.found(o.body); found != "422" { // of somebody who came after
		return found
	}
	return answer
}

// runKeyOps plays a history in a bubble.
func runKeyOps(t *testing.T, ops []keyOp) (failure error) {
	synctest.Test(t, func(*testing.T) {
		m := &keyModel{store: httpx.NewMemoryStore(httpx.MemoryStoreConfig{})}
		for i, op := range ops {
			if failure = m.do(op); failure != nil {
				failure = fmt.Errorf("step %d, %+v: %w", i, op, failure)
				break
			}
		}
		for _, o := range m.owners {
			o.end <- opPanic
			<-o.reply
		}
	})
	return failure
}

func randomKeyOps(r *rand.Rand) []keyOp {
	ops := make([]keyOp, 40)
	for i := range ops {
		ops[i] = keyOp{what: r.IntN(opCount), key: r.IntN(2), body: r.IntN(8) / 7, n: r.IntN(15)}
		if r.IntN(3) == 0 {
			ops[i].what = opStart
		}
	}
	return ops
}

// A model of what should be under each key: requests, handlers that end in each way, crashes of their processes, leases
// that run out, and owners that come late.
func TestKeysDoWhatTheirModelDoesThroughCrashesAndLateOwners(t *testing.T) {
	lists := 5000
	if raceEnabled || testing.Short() {
		lists = 1000
	}
	for range lists {
		seed := rand.Uint64()
		ops := randomKeyOps(rand.New(rand.NewPCG(seed, 1)))
		if err := runKeyOps(t, ops); err != nil {
			short := shrink.List(ops, 1, func(ops []keyOp) bool { return runKeyOps(t, ops) != nil })
			t.Fatalf("seed %d: %v\nshortest: %+v: %v", seed, err, short, runKeyOps(t, short))
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 0})
	f.Add([]byte{0, 0, 7, 11, 0, 0, 1, 0, 1, 0})
	f.Add([]byte{0, 0, 6, 0, 7, 12, 0, 0, 1, 1, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var ops []keyOp
		for ; len(data) >= 2 && len(ops) < 50; data = data[2:] {
			ops = append(ops, keyOp{int(data[0] % opCount), int(data[0]>>6) & 1, int(data[0]>>7) & 1, int(data[1] % 16)})
		}
		if err := runKeyOps(t, ops); err != nil {
			t.Error(err)
		}
	})
}
