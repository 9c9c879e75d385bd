package measure_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
)

// The definition of good, row by row. Everything that is compared in the README depends on it.
func TestOnlyACorrectAnswerInTimeIsGood(t *testing.T) {
	slo := measure.DefaultSLO()
	answer := func(kind load.Kind, latency time.Duration, change func(*load.Answer)) load.Answer {
		const at = 7 * time.Second
		a := load.Answer{
			Request: load.Request{N: 1, At: at, Kind: kind}, Sent: at, Done: at + latency, Status: 200, Valid: true,
		}
		if change != nil {
			change(&a)
		}
		return a
	}
	taken := func(a *load.Answer) { a.Status, a.Conflict = 409, true }
	stale := func(age time.Duration) func(*load.Answer) {
		return func(a *load.Answer) { a.Stale, a.Age = true, age }
	}
	unmarked := func(age time.Duration) func(*load.Answer) { return func(a *load.Answer) { a.Age = age } }
	for _, row := range []struct {
		what string
		a    load.Answer
		want measure.Grade
	}{
		{"a seat map on its deadline", answer(load.SeatMap, 250*ms, nil), measure.Good},
		{"a seat map after its deadline", answer(load.SeatMap, 250*ms+1, nil), measure.Slow},
		{"a catalogue page on its deadline", answer(load.Catalog, 250*ms, nil), measure.Good},
		{"a catalogue page after its deadline", answer(load.Catalog, 251*ms, nil), measure.Slow},
		{"a hold after the deadline of reads", answer(load.Hold, 499*ms, nil), measure.Good},
		{"a hold on its deadline", answer(load.Hold, 500*ms, func(a *load.Answer) { a.Status = 201 }), measure.Good},
		{"a hold after its deadline", answer(load.Hold, 500*ms+1, nil), measure.Slow},
		{"sent late, answered at once", answer(load.Hold, 501*ms, func(a *load.Answer) { a.Sent = a.Done }), measure.Slow},
		{"a true taken", answer(load.Hold, 30*ms, taken), measure.Good},
		{"a true taken, too late", answer(load.Hold, 501*ms, taken), measure.Slow},
		{"a taken that could not be read", answer(load.Hold, 30*ms, func(a *load.Answer) {
			a.Status, a.Conflict, a.Valid = 409, true, false
		}), measure.Wrong},
		{"409 that is no taken", answer(load.Hold, 30*ms, func(a *load.Answer) { a.Status = 409 }), measure.Failed},
		{"taken in the place of a seat map", answer(load.SeatMap, 30*ms, taken), measure.Failed},
		{"a fast 503", answer(load.SeatMap, ms, func(a *load.Answer) { a.Status, a.Valid = 503, false }), measure.Refused},
		{"a fast 429", answer(load.Hold, ms, func(a *load.Answer) { a.Status = 429 }), measure.Refused},
		{"a refusal by the customer's own software", answer(load.Hold, 0, func(a *load.Answer) {
			a.Status, a.Err, a.Pushback = 0, "breaker open", true
		}), measure.Refused},
		{"500", answer(load.Hold, ms, func(a *load.Answer) { a.Status = 500 }), measure.Failed},
		{"404", answer(load.Hold, ms, func(a *load.Answer) { a.Status = 404 }), measure.Failed},
		{"a redirect", answer(load.SeatMap, ms, func(a *load.Answer) { a.Status = 302 }), measure.Failed},
		{"no answer", answer(load.SeatMap, 99*ms, func(a *load.Answer) { a.Status, a.Err = 0, "timeout" }), measure.Failed},
		{"a broken body", answer(load.SeatMap, ms, func(a *load.Answer) { a.Err = "unexpected EOF" }), measure.Failed},
		{"the map of another show", answer(load.SeatMap, ms, func(a *load.Answer) { a.Valid = false }), measure.Wrong},
		{"marked, as old as allowed", answer(load.SeatMap, ms, stale(15*time.Second)), measure.Good},
		{"marked, and too old", answer(load.SeatMap, ms, stale(15*time.Second+1)), measure.TooOld},
		{"fresh enough without a mark", answer(load.SeatMap, ms, unmarked(2*time.Second)), measure.Good},
		{"old without a mark", answer(load.SeatMap, ms, unmarked(2*time.Second+1)), measure.TooOld},
		{"a catalogue changes rarely", answer(load.Catalog, ms, unmarked(time.Minute)), measure.Good},
		{"an old catalogue without a mark", answer(load.Catalog, ms, unmarked(time.Minute+1)), measure.TooOld},
		{"an old catalogue with a mark", answer(load.Catalog, ms, stale(10*time.Minute)), measure.Good},
		{"the age of a hold means nothing", answer(load.Hold, ms, unmarked(time.Hour)), measure.Good},
	} {
		if got := slo.Grade(row.a); got != row.want {
			t.Errorf("%s: %s, want %s", row.what, got, row.want)
		}
	}
}

func TestSLOKeepsItsTimesThroughJSON(t *testing.T) {
	want := measure.DefaultSLO()
	data, err := want.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var got measure.SLO
	if err := got.UnmarshalJSON(data); err != nil || got != want {
		t.Errorf("%s became %+v, %v", data, got, err)
	}
	if err := got.UnmarshalJSON([]byte(`{"read":"soon"}`)); err == nil {
		t.Error("no error")
	}
	if want.Longest() != 500*ms {
		t.Errorf("longest deadline %v", want.Longest())
	}
	want.SeatMap.Stale = 0
	if err := want.Validate(); err == nil || err.Error() != "measure: SLO.SeatMap.Stale is 0s, want above 0s" {
		t.Errorf("%v", err)
	}
}
