package lifecycle_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seawall-go/seawall/lifecycle"
)

// A 101 of a proxy would have said Connection: close and Connection: Upgrade, which no WebSocket begins with.
func TestUpgradeDuringTheDrainIsNotToldToClose(t *testing.T) {
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	part := lifecycle.HTTP("web", server, nil)
	part.Drain()
	for upgrade, want := range map[string]string{"": "close", "websocket": ""} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		if upgrade != "" {
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", upgrade)
		}
		server.Handler.ServeHTTP(w, r)
		if got := w.Header().Get("Connection"); got != want {
			t.Errorf("Upgrade %q: Connection: %q, want %q", upgrade, got, want)
		}
	}
}
