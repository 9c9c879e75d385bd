package httpx

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/timeout"
)

// Off as a limit of time means that there is none.
const Off = timeout.Off

func validateLimit(field string, d time.Duration) error {
	if d != 0 && d != Off && d < time.Millisecond {
		return fmt.Errorf("httpx: %s is %v, want at least 1ms, or Off", field, d)
	}
	return nil
}
