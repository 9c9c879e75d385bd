package report

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
)

// History writes what customers did and saw, one JSON object a line, compressed. The first error stays, and Close
// returns it.
type History struct {
	zip *gzip.Writer
	buf *bufio.Writer
	out *json.Encoder
	err error
}

// line is one request and its answer. Times are microseconds of the scene's clock.
type line struct {
	Scene       string        `json:"scene"`
	Arm         string        `json:"arm"`
	N           uint64        `json:"n"`
	At          int64         `json:"at_us"`
	Sent        int64         `json:"sent_us"`
	Done        int64         `json:"done_us"`
	Kind        load.Kind     `json:"kind"`
	Customer    int64         `json:"customer,omitzero"`
	Performance int64         `json:"performance,omitzero"`
	Seats       []int64       `json:"seats,omitempty"`
	Order       string        `json:"order,omitempty"`
	Grade       measure.Grade `json:"grade"`
	Status      int           `json:"status"`
	Err         string        `json:"err,omitempty"`
	Valid       bool          `json:"valid,omitzero"`
	Stale       bool          `json:"stale,omitzero"`
	Age         int64         `json:"age_us,omitzero"`
	Conflict    bool          `json:"conflict,omitzero"`
	Pushback    bool          `json:"pushback,omitzero"`
}

// NewHistory begins a history in w. Close ends it, and not w.
func NewHistory(w io.Writer) *History {
	zip := gzip.NewWriter(w)
	buf := bufio.NewWriterSize(zip, 64<<10)
	return &History{zip: zip, buf: buf, out: json.NewEncoder(buf)}
}

// Add writes the answers of one arm in one scene.
func (h *History) Add(scene, arm string, slo measure.SLO, answers []load.Answer) {
	for _, a := range answers {
		if h.err != nil {
			return
		}
		h.err = h.out.Encode(line{
			Scene: scene, Arm: arm, N: a.N,
			At: a.At.Microseconds(), Sent: a.Sent.Microseconds(), Done: a.Done.Microseconds(),
			Kind: a.Kind, Customer: a.Customer, Performance: a.Performance, Seats: a.Seats, Order: a.Order,
			Grade: slo.Grade(a), Status: a.Status, Err: a.Err, Valid: a.Valid,
			Stale: a.Stale, Age: a.Age.Microseconds(), Conflict: a.Conflict, Pushback: a.Pushback,
		})
	}
}

// Close writes what is left, and returns the first error that there was.
func (h *History) Close() error {
	if err := h.buf.Flush(); h.err == nil {
		h.err = err
	}
	if err := h.zip.Close(); h.err == nil {
		h.err = err
	}
	return h.err
}
