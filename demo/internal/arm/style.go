package arm

import (
	"net/http"

	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/ops"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/health"
)

// style is what the kinds of arms do differently, and nothing else.
type style interface {
	// inventoryServer and gatewayServer put around a handler what the servers of this kind have.
	inventoryServer(http.Handler) http.Handler
	gatewayServer(http.Handler) http.Handler
	// operate returns what a service has for those who run it, with what it depends on, and nil if it has nothing. It comes
	// after the service's server and clients.
	operate(name string, checks ...health.Check) (*ops.Service, error)
	// inventoryClient is what the gateway asks the inventory service with.
	inventoryClient(url string, transport http.RoundTripper) gateway.Inventory
	// customers returns the http.Client of the customers' software.
	customers(transport http.RoundTripper) *http.Client
	// status adds what the arm's policies say.
	status(*measure.Status)
	settings() []report.Setting
}
