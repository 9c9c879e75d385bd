package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/demo/internal/catalog"
)

// Handler answers customers:
//
//	GET /performances                page of the catalogue
//	GET /performances/{id}/seats     seat map; Age in seconds and Seawall-Degraded if it is a copy
//	PUT /holds/{order}               hold seats for an order
//
// It answers 503 with a Retry-After when the inventory service has no answer.
func Handler(c *catalog.Catalog, inventory Inventory) http.Handler {
	h := &handler{c, inventory}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /performances", h.performances)
	mux.HandleFunc("GET /performances/{id}/seats", h.seats)
	mux.HandleFunc("PUT /holds/{order}", h.hold)
	return mux
}

type handler struct {
	catalog   *catalog.Catalog
	inventory Inventory
}

// pageSize is how many performances a page of the catalogue shows.
const pageSize = 50

func (h *handler) performances(w http.ResponseWriter, r *http.Request) {
	page, err := h.catalog.Performances(r.Context(), catalog.Cursor{}, pageSize)
	if err != nil {
		unavailable(w, err)
		return
	}
	writeJSON(w, struct {
		Performances []catalog.Summary `json:"performances"`
	}{page})
}

// seatsAnswer is a seat map as customers get it.
type seatsAnswer struct {
	SeatMap
	Stale bool  `json:"stale"`
	AgeMS int64 `json:"age_ms"`
}

func (h *handler) seats(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.Error(w, "no such performance", http.StatusNotFound)
		return
	}
	m, err := h.inventory.SeatMap(withArrival(r), id)
	if err != nil {
		unavailable(w, err)
		return
	}
	if m.Age > 0 {
		w.Header().Set("Age", strconv.FormatInt(int64(m.Age/time.Second), 10))
		w.Header().Set("Seawall-Degraded", "inventory")
	}
	writeJSON(w, seatsAnswer{m, m.Age > 0, m.Age.Milliseconds()})
}

func (h *handler) hold(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body is too long, or broken", http.StatusBadRequest)
		return
	}
	a, err := h.inventory.Hold(withArrival(r), r.PathValue("order"), body)
	if err != nil {
		unavailable(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// unavailable answers for an inventory service that has no answer: 503 with a Retry-After if it did nothing for the
// request and says so, 504 if it took too long, 502 if it failed.
func unavailable(w http.ResponseWriter, err error) {
	asked, answered := errors.AsType[*unavailableError](err)
	timedOut, ok := errors.AsType[timeouter](err)
	switch {
	case answered && asked.refused:
		refuse(w, asked.after)
	case ok && timedOut.Timeout():
		http.Error(w, "the inventory service does not answer in time", http.StatusGatewayTimeout)
	case errors.Is(err, seawall.ErrRejected):
		refuse(w, 0)
	default:
		http.Error(w, "the inventory service does not answer", http.StatusBadGateway)
	}
}

func refuse(w http.ResponseWriter, after time.Duration) {
	w.Header().Set(pushback, refused)
	w.Header().Set("Retry-After", strconv.FormatInt(int64(max(after, time.Second)/time.Second), 10))
	http.Error(w, "not now", http.StatusServiceUnavailable)
}

// timeouter is what errors of time limits have in common, those of package context included.
type timeouter interface {
	error
	Timeout() bool
}

func writeJSON(w http.ResponseWriter, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}
