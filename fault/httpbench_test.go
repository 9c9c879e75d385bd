package fault_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// BenchmarkDraw pairs a decision about a call with that of a point where nothing acts, and where what acts aims
// elsewhere.
func BenchmarkDraw(b *testing.B) {
	i := newInjector(
		fault.Fault{For: time.Hour, Kind: fault.StatusCode, Target: "on", Status: 503, Toxicity: 0.5},
		fault.Fault{For: time.Hour, Kind: fault.StatusCode, Target: "elsewhere", Status: 503, Route: "/other/"})
	if err := i.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer i.Stop()
	for _, target := range []string{"off", "elsewhere", "on"} {
		p := i.Point(target)
		b.Run(target, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Draw(b.Context(), fault.Call{Method: "GET", Route: "/shows/7"})
			}
		})
	}
}

// BenchmarkHTTP pairs a transport and a handler that are off with what they wrap.
func BenchmarkHTTP(b *testing.B) {
	p := newInjector(fault.Fault{For: time.Hour, Kind: fault.AckLost, Target: "a"}).Point("a")
	res := &http.Response{StatusCode: 200, Body: http.NoBody}
	inner := base(func(*http.Request) (*http.Response, error) { return res, nil })
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	req, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	for _, v := range []struct {
		name      string
		transport http.RoundTripper
		handler   http.Handler
	}{{"inner", inner, handler}, {"through", p.RoundTripper(inner), p.Handler(handler)}} {
		b.Run("transport/"+v.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = v.transport.RoundTrip(req)
			}
		})
		b.Run("handler/"+v.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.handler.ServeHTTP(w, req)
			}
		})
	}
}

// BenchmarkProxy pairs an echo of 64 bytes through a proxy whose point is off with one that has no point, and with one
// without a proxy.
func BenchmarkProxy(b *testing.B) {
	off := newInjector(fault.Fault{For: time.Hour, Kind: fault.Stall, Target: "a"}).Point("a")
	for _, name := range []string{"direct", "no point", "off"} {
		b.Run(name, func(b *testing.B) {
			address := upstream(b, echo)
			if name != "direct" {
				p := off
				if name == "no point" {
					p = nil
				}
				address = proxy(b, p, address).Addr().String()
			}
			c := connect(b, address)
			buf := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.Write(buf)
				_, _ = io.ReadFull(c, buf)
			}
		})
	}
}
