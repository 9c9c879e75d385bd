package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Inventory is what the gateway asks of the inventory service. An answer that says no, such as "taken", is an answer and
// not an error.
type Inventory interface {
	SeatMap(ctx context.Context, performance int64) (SeatMap, error)
	Hold(ctx context.Context, order string, request []byte) (Answer, error)
}

// SeatMap is which seats of a performance are not free.
type SeatMap struct {
	Performance int64           `json:"performance"`
	AsOfMS      int64           `json:"as_of_ms"`
	Claims      json.RawMessage `json:"claims"`

	Age time.Duration `json:"-"` // 0 if it is fresh
}

// Answer is an answer of the inventory service that is passed on as it is.
type Answer struct {
	Status int
	Body   []byte
}

// remote speaks the inventory service's protocol. Both arms use it: the http.Client decides how hard it tries.
type remote struct {
	client *http.Client
	base   string // such as http://127.0.0.2:4711
}

func (r remote) seatMap(ctx context.Context, performance int64) (m SeatMap, err error) {
	path := "/performances/" + strconv.FormatInt(performance, 10) + "/seats"
	a, err := r.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(a.Body, &m); err != nil {
		return m, fmt.Errorf("inventory: %s: %w", path, err)
	}
	if a.Status != http.StatusOK || m.Performance != performance {
		return m, fmt.Errorf("inventory: %s: status %d, performance %d", path, a.Status, m.Performance)
	}
	return m, nil
}

func (r remote) hold(ctx context.Context, order string, request []byte) (Answer, error) {
	return r.do(ctx, http.MethodPut, "/holds/"+url.PathEscape(order), request)
}

// do sends one request. An answer that is neither a success nor the caller's fault is an error.
func (r remote) do(ctx context.Context, method, path string, body []byte) (a Answer, err error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	sendArrival(ctx, req.Header)
	resp, err := r.client.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	a.Status = resp.StatusCode
	if a.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody)); err != nil {
		return a, err
	}
	if a.Status >= 500 || a.Status == http.StatusTooManyRequests {
		return a, &unavailableError{a.Status, retryAfter(resp), resp.Header.Get(pushback) == refused}
	}
	return a, nil
}

// unavailableError is an answer of the inventory service that says "not now".
type unavailableError struct {
	status  int
	after   time.Duration
	refused bool // it did nothing for the request
}

func (e *unavailableError) Error() string {
	return fmt.Sprintf("inventory: %d %s", e.status, http.StatusText(e.status))
}

// retryAfter returns what the service asks for, in the form that it uses: whole seconds.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// What a service of the Seawall arm says when it refuses a request before it did anything.
const (
	pushback = "Seawall-Pushback"
	refused  = "refused"
)

// maxBody bounds what is read of a request or an answer.
const maxBody = 1 << 20
