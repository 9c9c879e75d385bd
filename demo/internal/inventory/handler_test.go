package inventory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
	"github.com/seawall-go/seawall/demo/internal/gate"
	"github.com/seawall-go/seawall/demo/internal/inventory"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// quick is a gate that hardly keeps anybody.
func quick() *gate.Gate {
	return gate.New("inventory", gate.Config{Workers: 100, Mean: time.Microsecond, Sigma: gate.NoSpread})
}

func send(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// One conversation, answer by answer, to the byte.
func TestNoAnswerHasAnotherStatusOrBody(t *testing.T) {
	s, c := byHand(t, 1, 2, 3)
	h := inventory.NewHandler(s, quick())
	problem := func(status int, reason, detail string, rest ...string) string {
		return fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"error":%q,"detail":%q%s}`,
			http.StatusText(status), status, reason, detail, strings.Join(rest, ""))
	}
	hold := func(state string) string {
		return `{"order":"a","performance":1,"seats":[1,2],"state":"` + state + `","expires_at_ms":1010000}`
	}
	const one, two = `{"performance":1,"seats":[1]}`, `{"performance":1,"seats":[2,1]}`
	for _, row := range []struct {
		move               time.Duration
		method, path, body string
		status             int
		want               string
	}{
		{0, "GET", "/performances/1/seats", "", 200, `{"performance":1,"as_of_ms":1000000,"claims":[]}`},
		{0, "GET", "/holds/a", "", 404, problem(404, "not_found", `inventory: hold of order "a": not found`)},
		{0, "PUT", "/holds/a", two, 201, hold("held")},
		{time.Second, "PUT", "/holds/a", two, 200, hold("held")},
		{
			0, "PUT", "/holds/a", one, 422,
			problem(422, "mismatch", `inventory: hold for order "a": the order has a hold of other seats`),
		},
		{
			0, "PUT", "/holds/b", `{"performance":1,"seats":[3,2]}`, 409,
			problem(409, "taken", "inventory: seats [2] are taken", `,"seats":[2]`),
		},
		{
			0, "PUT", "/holds/b", `{"performance":1,"seats":[4]}`, 422,
			problem(422, "not_for_sale", `inventory: hold for order "b": not for sale: seat 4 of performance 1`),
		},
		{
			0, "GET", "/performances/1/seats", "", 200,
			`{"performance":1,"as_of_ms":1001000,"claims":[[1,"held"],[2,"held"]]}`,
		},
		{0, "GET", "/holds/a", "", 200, hold("held")},
		{0, "DELETE", "/holds/a", "", 200, hold("released")},
		{0, "GET", "/holds/a", "", 200, hold("released")},
		{
			0, "PUT", "/holds/a", two, 410,
			problem(410, "ended", `inventory: hold for order "a": the order's hold has ended`),
		},
		{0, "DELETE", "/holds/z", "", 404, problem(404, "not_found", `inventory: release order "z": not found`)},
		{
			0, "GET", "/performances/2/seats", "", 404,
			problem(404, "not_found", "inventory: seats of performance 2: not found"),
		},
		{
			0, "GET", "/performances/one/seats", "", 400,
			problem(400, "invalid", "inventory: the performance's id is not a number: invalid request"),
		},
		{0, "GET", "/elsewhere", "", 404, problem(404, "not_found", "inventory: path: not found")},
		{0, "POST", "/holds/a", "", 405, problem(405, "method_not_allowed", "the method is POST")},
		{0, "PUT", "/performances/1/seats", "", 405, problem(405, "method_not_allowed", "the method is PUT")},
	} {
		c.ms.Add(row.move.Milliseconds())
		w := send(h, row.method, row.path, row.body)
		if got := strings.TrimSpace(w.Body.String()); w.Code != row.status || got != row.want {
			t.Errorf("%s %s %s: %d %s\nwant %d %s", row.method, row.path, row.body, w.Code, got, row.status, row.want)
		}
		want := "application/json"
		if row.status >= 400 {
			want = "application/problem+json"
		}
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("%s %s: content type %q, want %q", row.method, row.path, got, want)
		}
		if allow := w.Header().Get("Allow"); (row.status == 405) != (allow != "") {
			t.Errorf("%s %s: Allow %q", row.method, row.path, allow)
		}
	}
	mustHold(t, s)
}

func TestABadBodyDoesNotReachTheGate(t *testing.T) {
	s, _ := byHand(t, 1)
	g := quick()
	h := inventory.NewHandler(s, g)
	for body, want := range map[string]struct {
		status int
		reason string
	}{
		``:                                 {400, "invalid"},
		`{`:                                {400, "invalid"},
		`[]`:                               {400, "invalid"},
		`{"order":"b"}`:                    {400, "invalid"},
		`{"performance":1,"seats":[1]} {}`: {400, "invalid"},
		`{"performance":1,"seats":[1]}]`:   {400, "invalid"},
		`{"performance":1,"seats":["1"]}`:  {400, "invalid"},
		`{"performance":1,"seats":[` + strings.Repeat("1,", 4096) + `1]}`: {413, "too_large"},
		`{"performance":1,"seats":[1]}` + strings.Repeat(" ", 4096):       {413, "too_large"},
	} {
		w := send(h, "PUT", "/holds/a", body)
		var p inventory.Problem
		err := json.Unmarshal(w.Body.Bytes(), &p)
		if err != nil || w.Code != want.status || p.Status != w.Code || p.Error != want.reason {
			t.Errorf("%.40s: %d %+v, error %v, want %+v", body, w.Code, p, err, want)
		}
	}
	if stats := g.Stats(); stats.Served != 0 {
		t.Errorf("%+v", stats)
	}
	for _, body := range []string{`{}`, `null`, `{"performance":1}`, `{"performance":1,"seats":[1,1]}`} {
		if w := send(h, "PUT", "/holds/a", body); w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestAnInternalErrorDoesNotTellItsReason(t *testing.T) {
	var log bytes.Buffer
	s := open(t, sqlite.Memory, inventory.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w := send(inventory.NewHandler(s, quick()), "GET", "/performances/1/seats", "")
	want := `{"type":"about:blank","title":"Internal Server Error","status":500,"error":"internal"}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != 500 || got != want {
		t.Errorf("%d %s", w.Code, got)
	}
	if !strings.Contains(log.String(), "inventory.request_failed") || !strings.Contains(log.String(), "closed") {
		t.Errorf("log %q", log.String())
	}
}

func TestTheKeyIsNotAnythingButTheHeaders(t *testing.T) {
	key := func(path string, header ...string) gate.Key {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return inventory.KeyOf(r)
	}
	const arrival, attempt = inventory.HeaderArrival, inventory.HeaderAttempt
	if got := key("/a", arrival, "17", attempt, "2"); got != (gate.Key{Arrival: 17, Attempt: 2}) {
		t.Errorf("%+v", got)
	}
	if got := key("/b", arrival, "17"); got != (gate.Key{Arrival: 17}) {
		t.Errorf("%+v", got)
	}
	if key("/a", arrival, "17", attempt, "x") != key("/a", arrival, "17") ||
		key("/a", arrival, "17", attempt, "99999999999999999999") != key("/a", arrival, "17") {
		t.Error("an unreadable attempt is not none")
	}
	if key("/a") != key("/a?x=1") || key("/a") == key("/b") {
		t.Error("without an arrival the path decides")
	}
	if key("/a", arrival, "x") != key("/b", arrival, "x") || key("/a", arrival, "x") == key("/a", arrival, "y") {
		t.Error("an unreadable arrival decides by its text")
	}
}

func FuzzKey(f *testing.F) {
	f.Add("17", "1")
	f.Add("", "")
	f.Add("-1", "18446744073709551616")
	f.Add("18446744073709551615", "+1")
	f.Fuzz(func(t *testing.T, arrival, attempt string) {
		r := httptest.NewRequest("GET", "/a", nil)
		r.Header = http.Header{inventory.HeaderArrival: {arrival}, inventory.HeaderAttempt: {attempt}}
		if one, two := inventory.KeyOf(r), inventory.KeyOf(r); one != two {
			t.Errorf("%+v and %+v", one, two)
		}
	})
}

// Both arms send the same headers, and so wait equally long.
func TestServiceTimesDoNotDependOnTheServer(t *testing.T) {
	took := func(warm int) (d time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, sqlite.Memory, inventory.Config{}, 1)
			h := inventory.NewHandler(s, gate.New("inventory", gate.Config{Draws: draw.New(1)}))
			for range warm {
				send(h, "GET", "/performances/1/seats", "")
			}
			begin := time.Now()
			send(h, "GET", "/performances/1/seats", "", inventory.HeaderArrival, "17", inventory.HeaderAttempt, "1")
			d = time.Since(begin)
		})
		return d
	}
	want := time.Duration(draw.New(1).Stream("service/inventory").LogNormal(float64(40*time.Millisecond), 0.5, 17, 1))
	for _, warm := range []int{0, 3} {
		if got := took(warm); got != want {
			t.Errorf("after %d others: %v, want %v", warm, got, want)
		}
	}
}

// A client that goes while it waits leaves no hold behind; one that goes later has it all the same.
func TestAGoneClientIsNotServedFromTheQueueNorCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, sqlite.Memory, inventory.Config{}, 1, 2)
		g := gate.New("inventory", gate.Config{Workers: 1, Mean: 100 * time.Millisecond, Sigma: gate.NoSpread})
		h := inventory.NewHandler(s, g)
		put := func(order, seat string, patience time.Duration) *httptest.ResponseRecorder {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			w := httptest.NewRecorder()
			body := strings.NewReader(`{"performance":1,"seats":[` + seat + `]}`)
			h.ServeHTTP(w, httptest.NewRequest("PUT", "/holds/"+order, body).WithContext(ctx))
			return w
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if w := put("served", "1", 50*time.Millisecond); w.Code != http.StatusCreated {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if w := put("queued", "2", 50*time.Millisecond); w.Code != 499 || w.Body.Len() != 0 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
		wg.Wait()
		if stats := g.Stats(); stats.Abandoned != 1 || stats.Served != 1 {
			t.Errorf("%+v", stats)
		}
		if a := mustHold(t, s); len(a.Claims) != 1 || a.Claims[0].Order != "served" {
			t.Errorf("%+v", a.Claims)
		}
	})
}

// The same over a real socket: the server must see the client go while the request waits, which it can only once the
// body has been read.
func TestADisconnectIsNotOverlooked(t *testing.T) {
	s, _ := byHand(t, 1, 2)
	g := gate.New("inventory", gate.Config{Workers: 1, Mean: 1500 * time.Millisecond, Sigma: gate.NoSpread})
	inner := inventory.NewHandler(s, g)
	statuses := make(chan int, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := &recorder{ResponseWriter: w}
		inner.ServeHTTP(recorded, r)
		statuses <- recorded.status
	}))
	defer server.Close()
	client := server.Client()
	put := func(ctx context.Context, order, seat string) error {
		body := strings.NewReader(`{"performance":1,"seats":[` + seat + `]}`)
		r, err := http.NewRequestWithContext(ctx, "PUT", server.URL+"/holds/"+order, body)
		if err != nil {
			return err
		}
		w, err := client.Do(r)
		if err != nil {
			return err
		}
		defer w.Body.Close()
		_, err = io.Copy(io.Discard, w.Body)
		return err
	}
	var wg sync.WaitGroup
	for _, row := range []struct{ order, seat string }{{"one", "1"}, {"two", "2"}} {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := put(ctx, row.order, row.seat); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: error %v", row.order, err)
			}
		})
	}
	wg.Wait()
	if first, second := <-statuses, <-statuses; first != 499 || second != http.StatusCreated {
		t.Errorf("status %d, then %d: want the one in the queue to leave before the one in service is done", first, second)
	}
	if a := mustHold(t, s); len(a.Claims) != 1 {
		t.Errorf("%+v", a.Claims)
	}
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
