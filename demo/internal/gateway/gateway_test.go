package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/demo/internal/catalog"
	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// roundTrip is the inventory service.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(r *http.Request, status int, body string, header ...string) (*http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

const goodMap = `{"performance":3,"as_of_ms":5,"claims":[[11,"held"]]}`

func newSeawall(inventory roundTrip) *gateway.Seawall {
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.DiscardHandler))
	return gateway.NewSeawall("http://127.0.0.2", inventory, registry) // on loopback, whose refusals it believes
}

func newPlain(inventory roundTrip) *gateway.Plain {
	return gateway.NewPlain("http://inventory", inventory, time.Second, 3)
}

// ask sends one request through the handler.
func ask(t *testing.T, inventory gateway.Inventory, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	titles, err := catalog.Open(t.Context(), sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	defer titles.Close()
	if err := titles.Seed(t.Context(), catalog.SeedConfig{Performances: 2, Sections: 1, Rows: 1, SeatsPerRow: 5}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	gateway.Handler(titles, inventory).ServeHTTP(w, r)
	return w
}

func TestGatewayTellsRefusedFromFailedFromLate(t *testing.T) {
	refusedByInventory := func(r *http.Request) (*http.Response, error) {
		return answer(r, 503, "", "Retry-After", "7", "Seawall-Pushback", "refused")
	}
	for _, row := range []struct {
		name      string
		inventory roundTrip
		status    int
		after     string
		pushback  string
	}{
		{"refused", refusedByInventory, 503, "7", "refused"},
		{"failed", func(r *http.Request) (*http.Response, error) { return answer(r, 500, "") }, 502, "", ""},
		{"unreachable", func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }, 502, "", ""},
		{"late", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 504, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for kind, inventory := range map[string]gateway.Inventory{
					"seawall": newSeawall(row.inventory), "plain": newPlain(row.inventory),
				} {
					w := ask(t, inventory, http.MethodPut, "/holds/o-1", `{}`)
					if w.Code != row.status || w.Header().Get("Retry-After") != row.after ||
						w.Header().Get("Seawall-Pushback") != row.pushback {
						t.Errorf("%s: %d %v", kind, w.Code, w.Header())
					}
				}
			})
		})
	}
}

func TestGatewayPassesAnHonestNoOn(t *testing.T) {
	no := func(r *http.Request) (*http.Response, error) {
		return answer(r, 409, `{"error":"taken","seats":[1]}`)
	}
	for _, inventory := range []gateway.Inventory{newSeawall(no), newPlain(no)} {
		w := ask(t, inventory, http.MethodPut, "/holds/o-1", `{}`)
		if w.Code != 409 || !strings.Contains(w.Body.String(), "taken") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

func TestGatewayShowsTheCatalogueWithoutTheInventory(t *testing.T) {
	w := ask(t, newPlain(func(*http.Request) (*http.Response, error) {
		t.Error("the inventory was asked")
		return nil, errors.New("asked")
	}), http.MethodGet, "/performances", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"title"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A copy is marked with its age, which is that of the question, and not served once it is too old.
func TestGatewayServesACopyMarkedAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		s := newSeawall(func(r *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, errors.New("down")
			}
			time.Sleep(140 * time.Millisecond)
			return answer(r, 200, goodMap)
		})
		look := func() (code int, stale bool, age time.Duration, degraded string) {
			w := ask(t, s, http.MethodGet, "/performances/3/seats", "")
			var m struct {
				Stale bool  `json:"stale"`
				AgeMS int64 `json:"age_ms"`
			}
			if w.Code == 200 {
				if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
					t.Fatal(err)
				}
			}
			return w.Code, m.Stale, time.Duration(m.AgeMS) * time.Millisecond, w.Header().Get("Seawall-Degraded")
		}
		if code, stale, age, degraded := look(); code != 200 || stale || age != 0 || degraded != "" {
			t.Errorf("fresh: %d %t %v %q", code, stale, age, degraded)
		}
		down.Store(true)
		time.Sleep(5 * time.Second)
		code, stale, age, degraded := look()
		if code != 200 || !stale || age < 5140*time.Millisecond || age > 5300*time.Millisecond || degraded != "inventory" {
			t.Errorf("copy: %d %t %v %q", code, stale, age, degraded)
		}
		time.Sleep(9900 * time.Millisecond) // it was answered less than 15 s ago
		if code, _, age, _ := look(); code != 502 {
			t.Errorf("a copy of more than 15 s was served: %d, %v", code, age)
		}
	})
}

// A slow inventory must not keep a reader who would take a copy.
func TestGatewayTakesTheCopyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		s := newSeawall(func(r *http.Request) (*http.Response, error) {
			if hang.Load() {
				<-r.Context().Done()
				return nil, context.Cause(r.Context())
			}
			return answer(r, 200, goodMap)
		})
		if _, err := s.SeatMap(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		hang.Store(true)
		if w := ask(t, s, http.MethodGet, "/performances/4/seats", ""); w.Code != 504 {
			t.Errorf("without a copy: %d", w.Code)
		}
		begin := time.Now()
		m, err := s.SeatMap(t.Context(), 3)
		if took := time.Since(begin); err != nil || m.Age == 0 || took > 200*time.Millisecond {
			t.Errorf("after %v: %+v, %v", took, m, err)
		}
	})
}

// All who look at a seat map while it is on its way get that one. Who comes later gets another.
func TestGatewayAsksOnceForAllWhoLookAtTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		s := newSeawall(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			time.Sleep(40 * time.Millisecond)
			return answer(r, 200, goodMap)
		})
		for round := range int64(3) {
			for range 5 {
				go func() {
					if m, err := s.SeatMap(t.Context(), 3); err != nil || m.Age != 0 {
						t.Errorf("%+v, %v", m, err)
					}
				}()
			}
			time.Sleep(100 * time.Millisecond)
			if asked.Load() != round+1 {
				t.Fatalf("asked %d times in %d rounds", asked.Load(), round+1)
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A seat map that is late is asked for once more, as soon as it is known what late is, and the quicker answer counts.
func TestGatewayAsksASecondTimeForASeatMapThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		s := newSeawall(func(r *http.Request) (*http.Response, error) {
			took := 40 * time.Millisecond
			if n := asked.Add(1); n > 200 && r.Header.Get("Seawall-Attempt") == "" {
				took = time.Minute // it hangs, and only its second attempt would help
			}
			select {
			case <-time.After(took):
				return answer(r, 200, goodMap)
			case <-r.Context().Done():
				return nil, context.Cause(r.Context())
			}
		})
		warm(t, s)
		begin := time.Now()
		m, err := s.SeatMap(t.Context(), 3)
		if took := time.Since(begin); err != nil || m.Age != 0 || took > 90*time.Millisecond || asked.Load() != 202 {
			t.Errorf("after %v and %d questions: %+v, %v; want a fresh answer of the second attempt", took, asked.Load(), m, err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// A hold that is late is waited for, although it is known what late is: what changes something is not sent twice to be
// quicker. One that fails is repeated.
func TestGatewaySendsNoHoldTwiceToBeQuicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var holds atomic.Int64
		var failing atomic.Bool
		s := newSeawall(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				time.Sleep(40 * time.Millisecond)
				return answer(r, 200, goodMap)
			}
			sent, err := io.ReadAll(r.Body)
			if err != nil || r.URL.Path != "/holds/o-1" || string(sent) != `{"seats":[1]}` {
				t.Errorf("%s was sent with %q, %v", r.URL.Path, sent, err)
			}
			if holds.Add(1) == 1 && failing.Load() {
				return answer(r, 500, "")
			}
			time.Sleep(900 * time.Millisecond)
			return answer(r, 201, "{}")
		})
		warm(t, s)
		before := hedgeOf(t, s).Stats()
		a, err := s.Hold(t.Context(), "o-1", []byte(`{"seats":[1]}`))
		if err != nil || a.Status != 201 || holds.Load() != 1 {
			t.Errorf("a hold that is late was sent %d times: %+v, %v", holds.Load(), a, err)
		}
		if after := hedgeOf(t, s).Stats(); after.Calls() != before.Calls() || after.Attempts != before.Attempts {
			t.Errorf("the hedge has seen a hold: %+v, before %+v", after, before)
		}
		holds.Store(0)
		failing.Store(true)
		if a, err := s.Hold(t.Context(), "o-1", []byte(`{"seats":[1]}`)); err != nil || a.Status != 201 || holds.Load() != 2 {
			t.Errorf("a hold that failed was sent %d times: %+v, %v", holds.Load(), a, err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// warm asks until it is known how long an answer takes.
func warm(t *testing.T, s *gateway.Seawall) {
	t.Helper()
	for range 200 {
		if _, err := s.SeatMap(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond) // else it would be the same one
	}
	if delay, ok := hedgeOf(t, s).Delay(); !ok || delay < 40*time.Millisecond {
		t.Fatalf("after 200 answers late is %v, %t", delay, ok)
	}
}

// hedgeOf returns the hedge of the inventory's address.
func hedgeOf(t *testing.T, s *gateway.Seawall) *hedge.Hedge {
	t.Helper()
	for _, h := range s.Transport().Hedges() {
		return h
	}
	t.Fatal("nothing is hedged")
	return nil
}

// Where all answers are late, second attempts would double the load of a service that is overloaded.
func TestSecondAttemptsDoNotMakeABrownoutWorse(t *testing.T) {
	for name, slow := range map[string]roundTrip{
		"slow": func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(1600 * time.Millisecond):
				return answer(r, 200, goodMap)
			case <-r.Context().Done():
				return nil, context.Cause(r.Context())
			}
		},
		"refusing": func(r *http.Request) (*http.Response, error) {
			return answer(r, 503, "", "Retry-After", "1", "Seawall-Pushback", "refused")
		},
		"failing": func(r *http.Request) (*http.Response, error) { return answer(r, 500, "") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked, attempts atomic.Int64 // second attempts run beside the first
				var troubled atomic.Bool
				s := newSeawall(func(r *http.Request) (*http.Response, error) {
					if !troubled.Load() {
						time.Sleep(40 * time.Millisecond)
						return answer(r, 200, goodMap)
					}
					attempts.Add(1)
					if r.Header.Get("Seawall-Attempt") == "" {
						asked.Add(1)
					}
					return slow(r)
				})
				warm(t, s)
				troubled.Store(true)
				for range 600 {
					_, _ = s.SeatMap(t.Context(), 3)
					time.Sleep(10 * time.Millisecond)
				}
				all, calls := attempts.Load(), asked.Load()
				if extra := all - calls; calls == 0 || extra > calls/10+10 {
					t.Errorf("%d attempts at %d calls, want at most a tenth more, and ten", all, calls)
				}
				if h := hedgeOf(t, s).Stats(); name == "slow" && h.Attempts == h.Calls() {
					t.Error("there were no second attempts: this shows nothing")
				}
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// While the inventory serves only a part of what it is asked for, that is kept for those who hold seats.
func TestGatewayInABrownoutAsksForNothingThatItHasAYoungCopyOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var maps atomic.Int64
		var refusing atomic.Bool
		s := newSeawall(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				maps.Add(1)
				return answer(r, 200, goodMap)
			}
			if refusing.Load() {
				return answer(r, 503, "", "Retry-After", "1", "Seawall-Pushback", "refused")
			}
			return answer(r, 201, "{}")
		})
		// look asks for the seat map ten times in a second, and holds seats forty times.
		look := func() (asked int64, oldest time.Duration) {
			before := maps.Load()
			for range 10 {
				m, err := s.SeatMap(t.Context(), 3)
				if err != nil {
					t.Fatal(err)
				}
				oldest = max(oldest, m.Age)
				for range 4 {
					_, _ = s.Hold(t.Context(), "o-1", nil)
				}
				time.Sleep(100 * time.Millisecond)
			}
			return maps.Load() - before, oldest
		}
		for range 5 {
			if asked, oldest := look(); asked != 10 || oldest != 0 || s.Brownout().Level() != degrade.Full {
				t.Errorf("in good times: asked %d times of 10, a copy of %v, level %v", asked, oldest, s.Brownout().Level())
			}
		}
		refusing.Store(true)
		for range 3 {
			look() // until it is known
		}
		if level := s.Brownout().Level(); level != degrade.WithoutSheddable {
			t.Errorf("level %v", level)
		}
		var all int64
		for range 10 {
			asked, oldest := look()
			all += asked
			if oldest >= gateway.YoungFor {
				t.Errorf("a copy of %v was taken without asking", oldest)
			}
		}
		if all < 3 || all > 4 {
			t.Errorf("asked %d times in 10 s, want once in %v", all, gateway.YoungFor)
		}
		refusing.Store(false)
		for range 7 {
			look()
		}
		if asked, oldest := look(); asked != 10 || oldest != 0 || s.Brownout().Level() != degrade.Full {
			t.Errorf("afterwards: asked %d times of 10, a copy of %v, level %v", asked, oldest, s.Brownout().Level())
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A few failures in quiet times are no brownout.
func TestGatewayDoesNotBrownOutForAFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeawall(func(r *http.Request) (*http.Response, error) { return answer(r, 500, "") })
		for range 60 {
			_, _ = s.SeatMap(t.Context(), 3)
			time.Sleep(time.Second)
		}
		if stats := s.Brownout().Stats(); stats.Worse != 0 || stats.Readings < 50 {
			t.Errorf("%+v", stats)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestPlainRetriesThreeTimesAndNotForACallerThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []string
		failing := func(r *http.Request) (*http.Response, error) {
			attempts = append(attempts, r.Header.Get(gateway.AttemptHeader))
			return answer(r, 500, "")
		}
		if _, err := newPlain(failing).Hold(t.Context(), "o-1", nil); err == nil {
			t.Error("no error")
		}
		if got := strings.Join(attempts, " "); got != "1 2 3 4" {
			t.Errorf("attempts %s", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		attempts = nil
		_, _ = newPlain(func(r *http.Request) (*http.Response, error) {
			cancel()
			return failing(r)
		}).Hold(ctx, "o-1", nil)
		if len(attempts) != 1 {
			t.Errorf("%d attempts for a caller that left", len(attempts))
		}
	})
}
