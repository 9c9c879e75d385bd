package arm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/arm"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/demo/internal/wire"
	"github.com/seawall-go/seawall/fault"
)

// office builds a box office with Seawall, which the test closes.
func office(t *testing.T, over wire.Wire) runner.Arm {
	t.Helper()
	scenes, err := scene.Find("brownout")
	if err != nil {
		t.Fatal(err)
	}
	registries := new(runner.Registries)
	built, err := arm.NewBuilder(arm.Config{Wire: over, InMemory: true})(t.Context(), runner.Options{
		Name: verdict.Seawall, Kind: verdict.Seawall, Seed: 1, Scene: scenes[0],
		Faults: fault.New("scene", fault.Config{Registry: registries.Of(scene.Inventory)}), Registries: registries,
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages := built.Operations(); len(pages) != 2 || pages[0] != (runner.Page{Arm: "seawall", Service: scene.Inventory, URL: pages[0].URL}) ||
		pages[1] != (runner.Page{Arm: "seawall", Service: "gateway", URL: pages[1].URL}) {
		t.Fatalf("the operations are %+v, want those of inventory and gateway", pages)
	}
	return built
}

// operator is a client that follows no redirect.
func operator(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask sends a form, or asks for a page if there is none.
func ask(t *testing.T, client *http.Client, to string, form url.Values) (code int, body string) {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(b)
}

func closed(t *testing.T, built runner.Arm) {
	t.Helper()
	if err := built.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEveryServiceHasItsOperations(t *testing.T) {
	built := office(t, wire.TCP{})
	defer closed(t, built)
	client := operator(t)
	for _, p := range built.Operations() {
		for path, part := range map[string]string{
			"/livez": `"pass"`, "/readyz?verbose": `.db"`, "/metrics": "seawall_", "/debug/seawall/": "Policies", "/": "/debug/seawall/",
		} {
			if _, body := ask(t, client, p.URL+path, nil); !strings.Contains(body, part) {
				t.Errorf("%s of %s: no %q in\n%s", path, p.Service, part, body)
			}
		}
	}
}

type pageFacts struct {
	Chains []struct {
		Name     string
		Members  []struct{ Text, Kind string }
		Findings []struct{ Rule, Problem, Remedy string }
	}
	Members []struct{ Kind, Name, Mode string }
}

func factsOf(t *testing.T, client *http.Client, at string) (facts pageFacts) {
	t.Helper()
	_, body := ask(t, client, at+"/debug/seawall/?format=json", nil)
	if err := json.Unmarshal([]byte(body), &facts); err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	return facts
}

func TestPagesOfTheOperationsDrawChainsInWhichNothingIsWrong(t *testing.T) {
	built := office(t, wire.TCP{})
	defer closed(t, built)
	client := operator(t)
	for i, want := range [][]string{
		{`requests: bulkhead "inventory" op`},
		{
			`inventory: timeout "inventory.total" retry "inventory" hedge "inventory" breaker "inventory" bulkhead "inventory" op`,
			`requests: bulkhead "gateway" op`,
		},
	} {
		p := built.Operations()[i]
		var got []string
		for _, c := range factsOf(t, client, p.URL).Chains {
			line := c.Name + ":"
			for _, m := range c.Members {
				line += " " + m.Text
				if m.Text != "op" && m.Kind == "" {
					t.Errorf("%s of %s: %s has no link to its page", c.Name, p.Service, m.Text)
				}
			}
			for _, f := range c.Findings {
				t.Errorf("%s of %s: %+v", c.Name, p.Service, f)
			}
			got = append(got, line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the chains of %s are\n%s\nwant\n%s", p.Service, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestOperatorForcesABreakerOpenOnThePageAndHoldsAreRefused(t *testing.T) {
	built := office(t, wire.TCP{})
	defer closed(t, built)
	client, at := operator(t), built.Operations()[1].URL
	show := built.House()[0]
	hold := func(n uint64) load.Answer {
		return built.Do(t.Context(), load.Request{
			N: n, Kind: load.Hold, Customer: 1, Performance: show.ID, Seats: show.Seats[n : n+1], Order: fmt.Sprint("order-", n),
		})
	}
	if a := hold(1); !a.Valid || a.Status != http.StatusCreated {
		t.Fatalf("before: %+v", a)
	}
	one := at + "/debug/seawall/?kind=breaker&name=inventory"
	_, page := ask(t, client, one, nil)
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
	if token == nil {
		t.Fatalf("there is no form in\n%s", page)
	}
	for i, row := range []struct {
		mode string
		want int
	}{{"forced_open", http.StatusServiceUnavailable}, {"enforce", http.StatusCreated}} {
		form := url.Values{"kind": {"breaker"}, "name": {"inventory"}, "mode": {row.mode}, "token": {token[1]}}
		if code, body := ask(t, client, at+"/debug/seawall/", form); code != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", row.mode, code, body)
		}
		for _, m := range factsOf(t, client, at).Members {
			if m.Kind == "breaker" && m.Name == "inventory" && m.Mode != row.mode {
				t.Errorf("the breaker is in mode %s, want %s", m.Mode, row.mode)
			}
		}
		if a := hold(uint64(2 + i)); a.Status != row.want {
			t.Errorf("%s: a hold is answered by %+v, want %d", row.mode, a, row.want)
		}
	}
}

// closing calls first before the first of its listeners is closed.
type closing struct {
	wire.TCP
	first func()
}

type closingListener struct {
	net.Listener
	first func()
}

func (w closing) Listen(ctx context.Context, arm int) (net.Listener, error) {
	l, err := w.TCP.Listen(ctx, arm)
	return closingListener{l, w.first}, err
}

func (l closingListener) Close() error {
	l.first()
	return l.Listener.Close()
}

func TestReadinessFailsBeforeTheListenersClose(t *testing.T) {
	client := operator(t)
	var pages []runner.Page
	var looked sync.Once
	built := office(t, closing{first: func() {
		looked.Do(func() {
			for _, p := range pages {
				if code, body := ask(t, client, p.URL+"/readyz", nil); code != http.StatusServiceUnavailable {
					t.Errorf("%s is ready: %d %s", p.Service, code, body)
				}
			}
		})
	}})
	defer closed(t, built)
	pages = built.Operations()
	for _, p := range pages {
		deadline := time.Now().Add(10 * time.Second)
		for code := 0; code != http.StatusOK; code, _ = ask(t, client, p.URL+"/readyz", nil) { // its first check may still run
			if t.Failed() || time.Now().After(deadline) {
				t.Fatalf("%s does not get ready", p.Service)
			}
			time.Sleep(time.Millisecond)
		}
	}
	closed(t, built)
	looked.Do(func() { t.Error("no listener was closed") })
}
