package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
)

// judge validates the body of an answer: a status alone proves nothing.
func judge(a *load.Answer, body []byte) {
	var err error
	switch {
	case a.Pushback:
		return
	case a.Kind == load.Hold && a.Status == http.StatusConflict:
		err = judgeConflict(a, body)
	case a.Status/100 != 2:
		return // no answer, so there is nothing to validate
	case a.Kind == load.Catalog:
		err = judgeCatalog(body)
	case a.Kind == load.SeatMap:
		err = judgeSeatMap(a, body)
	case a.Kind == load.Hold:
		err = judgeHold(a, body)
	}
	if a.Valid = err == nil; err != nil {
		a.Err = err.Error()
	}
}

func judgeCatalog(body []byte) error {
	var page struct {
		Performances []struct {
			ID    int64  `json:"id"`
			Title string `json:"title"`
		} `json:"performances"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	if len(page.Performances) == 0 {
		return fmt.Errorf("catalogue: nothing is on")
	}
	for _, p := range page.Performances {
		if p.ID < 1 || p.Title == "" {
			return fmt.Errorf("catalogue: performance %d is called %q", p.ID, p.Title)
		}
	}
	return nil
}

func judgeSeatMap(a *load.Answer, body []byte) error {
	var m struct {
		Performance int64   `json:"performance"`
		AsOfMS      int64   `json:"as_of_ms"`
		Claims      []claim `json:"claims"`
		Stale       bool    `json:"stale"`
		AgeMS       int64   `json:"age_ms"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return fmt.Errorf("seat map: %w", err)
	}
	a.Stale, a.Age = m.Stale, time.Duration(m.AgeMS)*time.Millisecond
	if m.Performance != a.Performance || m.AsOfMS == 0 || m.Claims == nil {
		return fmt.Errorf("seat map: of performance %d at %d ms, with claims: %t", m.Performance, m.AsOfMS, m.Claims != nil)
	}
	return nil
}

// claim is a pair of a seat and what became of it.
type claim struct{}

func (*claim) UnmarshalJSON(data []byte) error {
	var seat int64
	var state string
	pair := []any{&seat, &state}
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 || seat < 1 || state == "" {
		return fmt.Errorf("claim %s", data)
	}
	return nil
}

func judgeHold(a *load.Answer, body []byte) error {
	var held struct {
		Order       string  `json:"order"`
		Performance int64   `json:"performance"`
		Seats       []int64 `json:"seats"`
	}
	if err := json.Unmarshal(body, &held); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	if held.Order != a.Order || held.Performance != a.Performance || !sameSeats(held.Seats, a.Seats) {
		return fmt.Errorf("hold: got seats %v of performance %d for order %q", held.Seats, held.Performance, held.Order)
	}
	return nil
}

func judgeConflict(a *load.Answer, body []byte) error {
	var no struct {
		Error string  `json:"error"`
		Seats []int64 `json:"seats"`
	}
	if err := json.Unmarshal(body, &no); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	if no.Error != "taken" || len(no.Seats) == 0 {
		return fmt.Errorf("hold: refused for %q, seats %v", no.Error, no.Seats)
	}
	for _, seat := range no.Seats {
		if !slices.Contains(a.Seats, seat) {
			return fmt.Errorf("hold: seat %d is taken, and was not asked for", seat)
		}
	}
	a.Conflict = true
	return nil
}

func sameSeats(a, b []int64) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
