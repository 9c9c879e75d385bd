package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/load"
)

// Edge sends customers' requests to a gateway.
type Edge struct {
	client *http.Client
	base   string // such as http://127.0.0.2:4711
}

// New makes an Edge. How long a customer waits is the client's Timeout, or its transport's.
func New(client *http.Client, base string) *Edge { return &Edge{client, base} }

// Do makes one request and validates its answer.
func (e *Edge) Do(ctx context.Context, r load.Request) load.Answer {
	a := load.Answer{Request: r}
	req, err := e.request(ctx, r)
	if err != nil {
		a.Err = err.Error()
		return a
	}
	req.Header.Set(gateway.ArrivalHeader, strconv.FormatUint(r.N, 10))
	req.Header.Set(gateway.CustomerHeader, strconv.FormatInt(r.Customer, 10))
	resp, err := e.client.Do(req)
	if err != nil {
		a.Err = err.Error()
		return a
	}
	defer func() { _ = resp.Body.Close() }() // only read
	a.Status = resp.StatusCode
	a.Pushback = resp.Header.Get("Retry-After") != "" && saysNotNow(a.Status)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		a.Err = err.Error()
		return a
	}
	judge(&a, body)
	return a
}

// saysNotNow reports whether a status with a hint asks to come again later. A 409 with one says that the same hold is still
// at work.
func saysNotNow(status int) bool {
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusConflict:
		return true
	}
	return false
}

const maxBody = 4 << 20

func (e *Edge) request(ctx context.Context, r load.Request) (*http.Request, error) {
	switch r.Kind {
	case load.Catalog:
		return http.NewRequestWithContext(ctx, http.MethodGet, e.base+"/performances", nil)
	case load.SeatMap:
		return http.NewRequestWithContext(ctx, http.MethodGet,
			fmt.Sprintf("%s/performances/%d/seats", e.base, r.Performance), nil)
	case load.Hold:
		body, err := json.Marshal(holdRequest{r.Performance, r.Seats})
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, e.base+"/holds/"+r.Order, bytes.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set(gateway.KeyHeader, strconv.Quote(r.Order))
		}
		return req, err
	}
	return nil, fmt.Errorf("edge: no such kind of request: %q", r.Kind)
}

type holdRequest struct {
	Performance int64   `json:"performance"`
	Seats       []int64 `json:"seats"`
}
