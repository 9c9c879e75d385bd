package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/seawall-go/seawall/demo/internal/gate"
)

// maxBody is the longest body of a request: a hold of 100 seats with the largest ids is half of it.
const maxBody = 4 << 10

// statusClientGone is nginx's status of a request whose client has gone before the answer. Nobody reads it but the
// server's own middleware, which must not take it for a success, nor for a failure of the server.
const statusClientGone = 499

type handler struct {
	store *Store
	gate  *gate.Gate
}

// NewHandler returns the inventory's HTTP interface. Each request waits at the gate before its SQL runs, with a service
// time drawn by [HeaderArrival] and [HeaderAttempt]. One whose client goes while it waits leaves the queue, and is not
// answered; one whose SQL has begun is finished, whether its client is there or not.
//
//	GET    /performances/{id}/seats  200 and a [SeatMap]
//	PUT    /holds/{order}            with a [Request]; 201, or 200 if it is repeated, and a [Holding]
//	GET    /holds/{order}            200 and a [Holding]
//	DELETE /holds/{order}            200 and a [Holding]: what became of it
//
// All other answers are a [Problem].
func NewHandler(store *Store, gate *gate.Gate) http.Handler {
	h := &handler{store: store, gate: gate}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /performances/{id}/seats", h.seats)
	mux.HandleFunc("PUT /holds/{order}", h.hold)
	mux.HandleFunc("GET /holds/{order}", h.holding)
	mux.HandleFunc("DELETE /holds/{order}", h.release)
	mux.HandleFunc("/performances/{id}/seats", methods("GET", "HEAD"))
	mux.HandleFunc("/holds/{order}", methods("DELETE", "GET", "HEAD", "PUT"))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problemOf(fmt.Errorf("inventory: path: %w", ErrNotFound)))
	})
	return mux
}

func (h *handler) seats(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		writeProblem(w, problemOf(fmt.Errorf("inventory: the performance's id is not a number: %w", ErrInvalid)))
		return
	}
	serve(h, w, r, always[SeatMap](http.StatusOK), func(ctx context.Context) (SeatMap, error) {
		return h.store.SeatMap(ctx, id)
	})
}

func (h *handler) hold(w http.ResponseWriter, r *http.Request) {
	// The body is read before the wait: until it has been read to its end, the server cannot see the client go.
	wanted, err := readRequest(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	wanted.Order = r.PathValue("order")
	status := func(held Holding) int {
		if held.Repeated {
			return http.StatusOK
		}
		return http.StatusCreated
	}
	serve(h, w, r, status, func(ctx context.Context) (Holding, error) { return h.store.Hold(ctx, wanted) })
}

func (h *handler) holding(w http.ResponseWriter, r *http.Request) {
	serve(h, w, r, always[Holding](http.StatusOK), func(ctx context.Context) (Holding, error) {
		return h.store.Holding(ctx, r.PathValue("order"))
	})
}

func (h *handler) release(w http.ResponseWriter, r *http.Request) {
	serve(h, w, r, always[Holding](http.StatusOK), func(ctx context.Context) (Holding, error) {
		return h.store.Release(ctx, r.PathValue("order"))
	})
}

func always[T any](status int) func(T) int { return func(T) int { return status } }

// serve runs work behind the gate and writes its answer.
func serve[T any](
	h *handler, w http.ResponseWriter, r *http.Request, status func(T) int, work func(context.Context) (T, error),
) {
	var answer T
	begun := false
	err := h.gate.Run(r.Context(), keyOf(r), func(ctx context.Context) (err error) {
		begun = true
		answer, err = work(ctx)
		return err
	})
	switch {
	case !begun:
		w.WriteHeader(statusClientGone)
	case err != nil:
		p := problemOf(err)
		if p.Status == http.StatusInternalServerError {
			h.store.cfg.Log.Error("inventory.request_failed", "error", err)
		}
		writeProblem(w, p)
	default:
		writeJSON(w, status(answer), answer)
	}
}

// readRequest reads the body of a hold: one JSON object with the two known fields, and nothing behind it.
func readRequest(body io.Reader) (Request, error) {
	var r Request
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Request{}, fmt.Errorf("inventory: body: %w: %w", ErrInvalid, err)
	}
	switch _, err := decoder.Token(); {
	case errors.Is(err, io.EOF):
		return r, nil
	case err != nil:
		return Request{}, fmt.Errorf("inventory: body: %w: %w", ErrInvalid, err)
	default:
		return Request{}, fmt.Errorf("inventory: body: %w: something follows the object", ErrInvalid)
	}
}
