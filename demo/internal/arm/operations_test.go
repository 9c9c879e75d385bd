package arm_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/arm"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/demo/internal/wire"
	"github.com/seawall-go/seawall/fault"
)

func TestEveryServiceHasItsOperations(t *testing.T) {
	scenes, err := scene.Find("brownout")
	if err != nil {
		t.Fatal(err)
	}
	registries := new(runner.Registries)
	built, err := arm.NewBuilder(arm.Config{Wire: wire.TCP{}, InMemory: true})(t.Context(), runner.Options{
		Name: verdict.Seawall, Kind: verdict.Seawall, Seed: 1, Scene: scenes[0],
		Faults: fault.New("scene", fault.Config{Registry: registries.Of(scene.Inventory)}), Registries: registries,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := built.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	pages := built.Operations()
	if len(pages) != 2 {
		t.Fatalf("the operations are %+v, want those of inventory and gateway", pages)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, p := range pages {
		for path, part := range map[string]string{
			"/livez": `"pass"`, "/readyz?verbose": `.db"`, "/metrics": `seawall_breaker_state{`, "/debug/seawall/": "Policies", "/": "Policies",
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if path == "/metrics" {
				part = "seawall_" // breakers come with the first request
			}
			if err != nil || !strings.Contains(string(body), part) {
				t.Errorf("%s of %s: %v, no %q in\n%s", path, p.Of, err, part, body)
			}
		}
	}
}
