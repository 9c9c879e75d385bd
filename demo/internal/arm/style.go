package arm

import (
	"net/http"
	"time"

	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
)

// style is what the kinds of arms do differently, and nothing else.
type style interface {
	// inventoryServer and gatewayServer put around a handler what the servers of this kind have.
	inventoryServer(http.Handler) http.Handler
	gatewayServer(http.Handler) http.Handler
	// inventoryClient is what the gateway asks the inventory service with. calls is told of each call.
	inventoryClient(url string, transport http.RoundTripper, calls func()) gateway.Inventory
	// customers returns the http.Client of the customers' software, and how long it waits for which answer: nil leaves
	// that to the client.
	customers(transport http.RoundTripper) (*http.Client, func(load.Kind) time.Duration)
	// status adds what the arm's policies say.
	status(*measure.Status)
	settings() []report.Setting
}
