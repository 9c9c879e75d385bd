package httpx

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/timeout"
)

// Off as a limit of time means that there is none.
const Off = timeout.Off

// mostLimit is where limits of time are cut off, 146 years: whoever means no limit by the longest one gets none, and a
// clock's reading can be added to it.
const mostLimit = time.Duration(1) << 62

func validateLimit(field string, d time.Duration) error {
	if d != 0 && d != Off && d < time.Millisecond {
		return fmt.Errorf("httpx: %s is %v, want at least 1ms, or Off", field, d)
	}
	return nil
}
