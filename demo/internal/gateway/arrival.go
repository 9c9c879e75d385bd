package gateway

import (
	"context"
	"net/http"
	"strconv"
)

// The headers that key the service times, so that both arms draw the same: the number of the customer's arrival, which
// travels with every request that is made for it, and the number of the attempt.
const (
	ArrivalHeader = "Boxoffice-Arrival"
	AttemptHeader = "Boxoffice-Attempt"
)

// The headers by which the gateway knows a customer, and a repeated hold.
const (
	// CustomerHeader is whose request it is. A real box office would take that from what it has authenticated.
	CustomerHeader = "Boxoffice-Customer"
	// KeyHeader is the idempotency key of a hold: the order's id, as a string of structured fields.
	KeyHeader = "Idempotency-Key"
)

type (
	arrivalKey struct{}
	attemptKey struct{}
)

// withArrival keeps the arrival of r for the requests that are made for it.
func withArrival(r *http.Request) context.Context {
	return context.WithValue(r.Context(), arrivalKey{}, r.Header.Get(ArrivalHeader))
}

func sendArrival(ctx context.Context, h http.Header) {
	if n, ok := ctx.Value(arrivalKey{}).(string); ok && n != "" {
		h.Set(ArrivalHeader, n)
	}
	if n, ok := ctx.Value(attemptKey{}).(int); ok {
		h.Set(AttemptHeader, strconv.Itoa(n))
	}
}
