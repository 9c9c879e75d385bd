package inventory

import (
	"hash/fnv"
	"net/http"
	"strconv"

	"github.com/seawall-go/seawall/demo/internal/gate"
)

// The headers by which a request says whose it is. They decide nothing but the drawn service time: both arms send the
// same ones, and so draw the same times.
const (
	// HeaderArrival is the number of the customer's request.
	HeaderArrival = "Boxoffice-Arrival"
	// HeaderAttempt is the number of the attempt at it, 1 for the first.
	HeaderAttempt = "Boxoffice-Attempt"
)

// keyOf returns the key of a request's service time. A missing or unreadable arrival is replaced by a hash of its text,
// or of the path: such a request draws what it likes, but always the same. An unreadable attempt is none.
func keyOf(r *http.Request) gate.Key {
	attempt, err := strconv.ParseUint(r.Header.Get(HeaderAttempt), 10, 64)
	if err != nil {
		attempt = 0 // ParseUint returns the largest number for one that is too large
	}
	text := r.Header.Get(HeaderArrival)
	arrival, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		if text == "" {
			text = r.URL.Path
		}
		h := fnv.New64a()
		h.Write([]byte(text))
		arrival = h.Sum64()
	}
	return gate.Key{Arrival: arrival, Attempt: attempt}
}
