package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Problem is the body of every answer that is not a success, as application/problem+json (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Error is the reason as one word for programs: invalid, not_found, not_for_sale, taken, mismatch, ended,
	// too_large, method_not_allowed or internal.
	Error string `json:"error"`
	// Detail is the reason for people. It is empty for an internal error, which is nobody's business.
	Detail string `json:"detail,omitempty"`
	// Seats are the seats that others have, if the reason is taken.
	Seats []int64 `json:"seats,omitempty"`
}

// problemOf translates an error of the store.
func problemOf(err error) Problem {
	p := Problem{Type: "about:blank", Detail: err.Error()}
	tooLarge, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	taken, isTaken := errors.AsType[*TakenError](err)
	switch {
	case isTooLarge:
		p.Status, p.Error = http.StatusRequestEntityTooLarge, "too_large"
		p.Detail = fmt.Sprintf("the body is longer than %d bytes", tooLarge.Limit)
	case isTaken:
		p.Status, p.Error, p.Seats = http.StatusConflict, "taken", taken.Seats
	case errors.Is(err, ErrInvalid):
		p.Status, p.Error = http.StatusBadRequest, "invalid"
	case errors.Is(err, ErrNotFound):
		p.Status, p.Error = http.StatusNotFound, "not_found"
	case errors.Is(err, ErrNotForSale):
		p.Status, p.Error = http.StatusUnprocessableEntity, "not_for_sale"
	case errors.Is(err, ErrMismatch):
		p.Status, p.Error = http.StatusUnprocessableEntity, "mismatch"
	case errors.Is(err, ErrEnded):
		p.Status, p.Error = http.StatusGone, "ended"
	default:
		p.Status, p.Error, p.Detail = http.StatusInternalServerError, "internal", ""
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// methods answers requests for a path that exists with a method that it does not have.
func methods(allowed ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		status := http.StatusMethodNotAllowed
		writeProblem(w, Problem{
			Type: "about:blank", Title: http.StatusText(status), Status: status, Error: "method_not_allowed",
			Detail: "the method is " + r.Method,
		})
	}
}

func writeProblem(w http.ResponseWriter, p Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	writeJSON(w, p.Status, p)
}

// writeJSON writes a body that is known to marshal. An error to write it is the client's own: it has gone.
func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic("inventory: " + err.Error()) // plain data
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
