package arm

import (
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/ops"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/health"
)

// plainStyle is decent Go: time limits everywhere, pools, cancellation passed on, three jittered retries in one layer,
// or none.
type plainStyle struct{ retries int }

const (
	plainRetries = 3
	plainAttempt = time.Second // between services
)

func (plainStyle) inventoryServer(h http.Handler) http.Handler { return h }
func (plainStyle) gatewayServer(h http.Handler) http.Handler   { return h }

func (plainStyle) operate(string, ...health.Check) (*ops.Service, error) { return nil, nil } //nolint:nilnil // it has nothing

func (p plainStyle) inventoryClient(url string, transport http.RoundTripper) gateway.Inventory {
	return gateway.NewPlain(url, transport, plainAttempt, p.retries)
}

func (plainStyle) customers(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, Timeout: patience}
}

func (plainStyle) status(*measure.Status) {}

func (p plainStyle) settings() []report.Setting {
	return []report.Setting{
		{Of: "customers' http.Client", Name: "Timeout", Value: patience.String()},
		{Of: "gateway's http.Client", Name: "Timeout", Value: plainAttempt.String()},
		{Of: "gateway's retries", Name: "after the first attempt", Value: strconv.Itoa(p.retries) + ", full jitter from 50ms, doubling"},
	}
}
