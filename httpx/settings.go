package httpx

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/timeout"
)

// settings is a ClientConfig made ready for the path of a request.
type settings struct {
	ClientConfig
	name         string
	totalLimit   *timeout.ExceededError // what ends an attempt's context at the total limit
	attemptLimit *timeout.ExceededError // at the attempt limit
	idleLimit    *timeout.ExceededError // and at that for a body without progress
	open         *openBodies
}

func newSettings(t *Transport, cfg ClientConfig) *settings {
	limit := func(of string, d time.Duration) *timeout.ExceededError {
		return &timeout.ExceededError{Name: t.name + "." + of, Limit: d}
	}
	return &settings{
		ClientConfig: cfg, name: t.name, open: &t.open,
		totalLimit: limit("total", cfg.Timeout), attemptLimit: limit("attempt", cfg.AttemptTimeout),
		idleLimit: limit("idle", cfg.IdleTimeout),
	}
}

// millisText remembers the latest text of a timeout: requests with the limit of the client begin with the same one.
type millisText struct{ latest atomic.Pointer[formatted] }

type formatted struct {
	millis int64
	text   string
}
