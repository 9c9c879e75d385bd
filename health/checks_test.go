package health_test

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/health"
)

type pinger struct{ err error }

func (p pinger) PingContext(context.Context) error { return p.err }

func TestReadyMadeChecksTellGoodFromBad(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	address := server.Listener.Addr().String()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(name string, run func(context.Context) error, ctx context.Context, want string) {
		t.Helper()
		err := run(ctx)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	client := server.Client()
	check("sql", health.SQL(pinger{}), t.Context(), "")
	check("sql", health.SQL(pinger{errors.New("no connection")}), t.Context(), "no connection")
	check("tcp", health.TCP(address), t.Context(), "")
	check("tcp", health.TCP(nobody), t.Context(), "refused")
	check("tcp", health.TCP(address), canceled, "canceled")
	check("http", health.HTTP(client, server.URL), t.Context(), "")
	check("http", health.HTTP(client, server.URL), canceled, "canceled")
	check("http", health.HTTP(client, "http://bob:hunter2@[::1"), t.Context(), "the URL is not valid")
	status = http.StatusServiceUnavailable
	check("http", health.HTTP(client, server.URL), t.Context(), "status 503")
	check("disk", health.Disk(t.TempDir(), 1), t.Context(), "")
	check("disk", health.Disk(t.TempDir(), math.MaxUint64), t.Context(), "bytes free, want")
	check("disk", health.Disk("/no/such/path", 1), t.Context(), "/no/such/path")
	runtime.GC()
	check("heap", health.Heap(math.MaxUint64), t.Context(), "")
	check("heap", health.Heap(1), t.Context(), "bytes live, want at most 1")
}
