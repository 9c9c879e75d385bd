package health

import (
	"encoding/json"
	"net/http"
	"time"
)

// view is what the handlers write, rendered when something has changed.
type view struct {
	live, ready, startup answer
	draining             bool
}

// answer is what one path answers, in short and in full.
type answer struct {
	code           int
	short, verbose []byte
}

// report is the verbose answer. Its fields are part of the interface: scripts read them.
type report struct {
	Status    Status        `json:"status"`
	Phase     Phase         `json:"phase"`
	Since     time.Time     `json:"since"`
	Missing   []string      `json:"missing,omitempty"`
	Checks    []checkReport `json:"checks,omitempty"`
	Gates     []gateReport  `json:"gates,omitempty"`
	Watchdogs []gateReport  `json:"watchdogs,omitempty"`
}

type checkReport struct {
	Name     string     `json:"name"`
	Scope    Scope      `json:"scope"`
	Critical bool       `json:"critical"`
	Status   Status     `json:"status"`
	CausedBy string     `json:"caused_by,omitempty"`
	Since    time.Time  `json:"since"`
	LastOK   *time.Time `json:"last_ok,omitempty"`
	LastMS   float64    `json:"last_ms"`
	Fails    int        `json:"fails"`
	Error    string     `json:"error,omitempty"`
}

type gateReport struct {
	Kind   string `json:"kind,omitempty"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	Note   string `json:"note,omitempty"`
}

// renderLocked renders all answers. It is the only place that writes the view.
func (h *Health) renderLocked() {
	r := report{Phase: h.phase, Since: h.since}
	for _, c := range h.checks {
		row := checkReport{
			Name: c.Name, Scope: c.Scope, Critical: c.Severity == Critical, Status: c.status, CausedBy: c.cause,
			Since: c.since, LastMS: float64(c.took.Microseconds()) / 1000, Fails: c.fails, Error: c.note,
		}
		if !c.lastOK.IsZero() {
			row.LastOK = &c.lastOK
		}
		r.Checks = append(r.Checks, row)
	}
	for _, g := range h.gates {
		r.Gates = append(r.Gates, gateReport{g.kind, g.name, g.status, g.note})
	}
	alive := Pass
	for _, w := range h.watchdogs {
		row := gateReport{Name: w.name}
		if w.overdue.Load() {
			alive, row.Status, row.Note = Fail, Fail, w.note()
		}
		r.Watchdogs = append(r.Watchdogs, row)
	}
	v := &view{draining: h.phase == Draining}

	live := r
	live.Status, live.Checks, live.Gates = alive, nil, nil
	v.live = live.answer()

	ready := r
	ready.Status = h.status
	v.ready = ready.answer()

	started := Pass
	if !h.begun {
		started = Fail
	}
	startup := r
	startup.Status, startup.Missing = started, h.missingLocked()
	v.startup = startup.answer()

	h.view.Store(v)
}

func (r report) answer() answer {
	a := answer{code: http.StatusOK}
	if r.Status == Fail {
		a.code = http.StatusServiceUnavailable
	}
	short := struct {
		Status Status `json:"status"`
	}{r.Status}
	a.short, a.verbose = line(short), line(r)
	return a
}

func line(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // cannot be: the types above have no values that JSON has no words for
		panic("health: " + err.Error())
	}
	return append(b, '\n')
}
