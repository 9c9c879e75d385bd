package edge_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/edge"
	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answers(status int, body string, header ...string) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})}
}

var (
	hold    = load.Request{N: 7, Kind: load.Hold, Performance: 3, Seats: []int64{11, 12}, Order: "o-7"}
	seatMap = load.Request{N: 8, Kind: load.SeatMap, Performance: 3}
	page    = load.Request{N: 9, Kind: load.Catalog}
)

// A status alone proves nothing: the body must be about what was asked for.
func TestEdgeBelievesNoAnswerThatIsNotItsOwn(t *testing.T) {
	for _, row := range []struct {
		name    string
		request load.Request
		status  int
		body    string
		want    load.Answer
		invalid bool
	}{
		{"hold", hold, 201, `{"order":"o-7","performance":3,"seats":[12,11]}`, load.Answer{Valid: true}, false},
		{"hold repeated", hold, 200, `{"order":"o-7","performance":3,"seats":[11,12]}`, load.Answer{Valid: true}, false},
		{"hold of another order", hold, 201, `{"order":"o-8","performance":3,"seats":[11,12]}`, load.Answer{}, true},
		{"hold of other seats", hold, 201, `{"order":"o-7","performance":3,"seats":[11,13]}`, load.Answer{}, true},
		{"hold of fewer seats", hold, 201, `{"order":"o-7","performance":3,"seats":[11]}`, load.Answer{}, true},
		{"hold cut off", hold, 201, `{"order":"o-7","perf`, load.Answer{}, true},
		{"taken", hold, 409, `{"error":"taken","seats":[12]}`, load.Answer{Valid: true, Conflict: true}, false},
		{"taken, not asked for", hold, 409, `{"error":"taken","seats":[99]}`, load.Answer{}, true},
		{"conflict of another kind", hold, 409, `{"error":"mismatch"}`, load.Answer{}, true},
		{"map", seatMap, 200, `{"performance":3,"as_of_ms":5,"claims":[[11,"held"]],"stale":false,"age_ms":0}`, load.Answer{Valid: true}, false},
		{
			"stale map", seatMap, 200, `{"performance":3,"as_of_ms":5,"claims":[],"stale":true,"age_ms":1500}`,
			load.Answer{Valid: true, Stale: true, Age: 1500 * time.Millisecond},
			false,
		},
		{"map of another performance", seatMap, 200, `{"performance":4,"as_of_ms":5,"claims":[]}`, load.Answer{}, true},
		{"map without claims", seatMap, 200, `{"performance":3,"as_of_ms":5}`, load.Answer{}, true},
		{"map with half a claim", seatMap, 200, `{"performance":3,"as_of_ms":5,"claims":[[11]]}`, load.Answer{}, true},
		{"page", page, 200, `{"performances":[{"id":3,"title":"Winterreise"}]}`, load.Answer{Valid: true}, false},
		{"empty page", page, 200, `{"performances":[]}`, load.Answer{}, true},
		{"error", seatMap, 502, `gateway`, load.Answer{}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := edge.New(answers(row.status, row.body), "http://box").Do(t.Context(), row.request)
			if a.Status != row.status || a.Valid != row.want.Valid || a.Conflict != row.want.Conflict ||
				a.Stale != row.want.Stale || a.Age != row.want.Age || (a.Err != "") != row.invalid {
				t.Errorf("got %+v", a)
			}
		})
	}
}

func TestEdgeKnowsARefusalByItsHint(t *testing.T) {
	for _, row := range []struct {
		status   int
		header   []string
		pushback bool
	}{
		{503, []string{"Retry-After", "1"}, true},
		{429, []string{"Retry-After", "1"}, true},
		{503, nil, false},
		{504, []string{"Retry-After", "1"}, false},
		{409, []string{"Retry-After", "1"}, true}, // the same hold is still at work
	} {
		a := edge.New(answers(row.status, "", row.header...), "http://box").Do(t.Context(), hold)
		if a.Pushback != row.pushback || a.Pushback && (a.Err != "" || a.Conflict || a.Valid) {
			t.Errorf("%d %v: %+v", row.status, row.header, a)
		}
	}
}

func TestEdgeAsksForWhatTheCustomerWants(t *testing.T) {
	for _, row := range []struct {
		request                 load.Request
		method, path, body, key string
	}{
		{hold, "PUT", "/holds/o-7", `{"performance":3,"seats":[11,12]}`, `"o-7"`},
		{seatMap, "GET", "/performances/3/seats", "", ""},
		{page, "GET", "/performances", "", ""},
	} {
		row.request.Customer = 12
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			body := []byte{}
			if r.Body != nil {
				body, _ = io.ReadAll(r.Body)
			}
			if r.Method != row.method || r.URL.Path != row.path || string(body) != row.body {
				t.Errorf("%s %s %s", r.Method, r.URL.Path, body)
			}
			if r.Header.Get(gateway.ArrivalHeader) == "" || r.Header.Get(gateway.CustomerHeader) != "12" {
				t.Errorf("whose request is it: %v", r.Header)
			}
			if got := r.Header.Get(gateway.KeyHeader); got != row.key {
				t.Errorf("idempotency key %s, want %s", got, row.key)
			}
			return &http.Response{StatusCode: 500, Body: http.NoBody, Request: r}, nil
		})}
		edge.New(client, "http://box").Do(t.Context(), row.request)
	}
}

func TestEdgeLeavesWhenItsClientsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Timeout: 5 * time.Second, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})}
		begin := time.Now()
		a := edge.New(client, "http://box").Do(t.Context(), seatMap)
		if took := time.Since(begin); took != 5*time.Second || a.Err == "" || a.Status != 0 {
			t.Errorf("after %v: %+v", took, a)
		}
	})
}
