package ops_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/demo/internal/ops"
)

func ask(h http.Handler, r *http.Request, from, host string) *httptest.ResponseRecorder {
	r.RemoteAddr, r.Host = from, host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestModesAreChangedFromThisMachineOnly(t *testing.T) {
	registry := new(seawall.Registry)
	stock := breaker.New("stock", breaker.Config{Registry: registry})
	service, err := ops.New("shop", ops.Config{Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := service.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	const local = "127.0.0.1:4711"
	page := func(from, host string) string {
		return ask(service.Admin(), httptest.NewRequest(http.MethodGet, "/debug/seawall/?kind=breaker&name=stock", nil), from, host).Body.String()
	}
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page(local, local))
	if token == nil {
		t.Fatal("there is no form for who asks from this machine")
	}
	post := func(from, host, token string) int {
		form := url.Values{"kind": {"breaker"}, "name": {"stock"}, "mode": {"forced_open"}, "token": {token}}
		r := httptest.NewRequest(http.MethodPost, "/debug/seawall/", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return ask(service.Admin(), r, from, host).Code
	}
	for name, row := range map[string]struct{ from, host string }{
		"another machine":                      {"192.0.2.7:80", local},
		"another machine by IPv6":              {"[2001:db8::7]:80", local},
		"no address":                           {"", local},
		"a name that leads to this machine":    {local, "rebound.example:4711"},
		"an address that leads to the machine": {local, "192.0.2.1:4711"},
		"a name that begins like ours":         {local, "localhost.example:4711"},
		"no host":                              {local, ""},
	} {
		if code := post(row.from, row.host, token[1]); code != http.StatusForbidden || stock.Config().Mode != seawall.Enforce {
			t.Errorf("%s: %d, and the mode is %v", name, code, stock.Config().Mode)
		}
		if strings.Contains(page(row.from, row.host), `name="token"`) {
			t.Errorf("%s: the page has a form", name)
		}
	}
	if code := post(local, local, "another"); code != http.StatusForbidden || stock.Config().Mode != seawall.Enforce {
		t.Errorf("without the token of the page: %d, and the mode is %v", code, stock.Config().Mode)
	}
	for _, row := range []struct{ from, host string }{
		{local, local}, {"127.0.0.3:80", "127.0.0.2:4711"}, {"[::1]:80", "[::1]:4711"}, {"[::ffff:127.0.0.1]:80", "localhost:4711"}, {local, "localhost"},
	} {
		if err := stock.SetMode(seawall.Enforce); err != nil {
			t.Fatal(err)
		}
		if code := post(row.from, row.host, token[1]); code != http.StatusSeeOther || stock.Config().Mode != seawall.ForcedOpen {
			t.Errorf("from %s for %s: %d, and the mode is %v", row.from, row.host, code, stock.Config().Mode)
		}
	}
}

func TestReadinessFailsAfterDrainAndLivenessDoesNot(t *testing.T) {
	service, err := ops.New("shop", ops.Config{Registry: new(seawall.Registry)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := service.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	code := func(h http.Handler, path string) int {
		return ask(h, httptest.NewRequest(http.MethodGet, path, nil), "127.0.0.1:1", "127.0.0.1").Code
	}
	for _, h := range []http.Handler{service.Admin(), service.Public(http.NotFoundHandler())} {
		if got := code(h, "/readyz"); got != http.StatusOK {
			t.Errorf("before: %d", got)
		}
	}
	service.Drain()
	for _, h := range []http.Handler{service.Admin(), service.Public(http.NotFoundHandler())} {
		if ready, live := code(h, "/readyz"), code(h, "/livez"); ready != http.StatusServiceUnavailable || live != http.StatusOK {
			t.Errorf("after: readiness %d, liveness %d", ready, live)
		}
	}
}
