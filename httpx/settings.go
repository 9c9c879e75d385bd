package httpx

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/timeout"
)

// settings is a ClientConfig made ready for the path of a request.
type settings struct {
	ClientConfig
	t         *Transport // whose they are
	terms     terms
	idleLimit *timeout.ExceededError // what ends a body without progress
}

func newSettings(t *Transport, cfg ClientConfig) *settings {
	limit := func(of string, d time.Duration) *timeout.ExceededError {
		return &timeout.ExceededError{Name: t.name + "." + of, Limit: d}
	}
	return &settings{
		ClientConfig: cfg, t: t,
		terms: terms{
			attempt: cfg.AttemptTimeout, attemptErr: limit("attempt", cfg.AttemptTimeout),
			total: limit("total", cfg.Timeout),
		},
		idleLimit: limit("idle", cfg.IdleTimeout),
	}
}

// millisText remembers the latest text of a timeout: requests with the limit of the client begin with the same one.
type millisText struct{ latest atomic.Pointer[formatted] }

type formatted struct {
	millis int64
	text   string
}
