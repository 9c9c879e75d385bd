package telemetry_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/telemetry"
)

// A family of many keys whose busy ones change: series stay while their key is in use, no counter goes back, and the rest is
// never less than it was.
func TestKeysKeepTheirSeriesWhileTheyAreInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, telemetry.Config{})
		hosts := breaker.NewGroup("hosts", breaker.GroupConfig[int]{
			Registry: b.registry, Label: func(k int) string { return fmt.Sprint("h", k) },
		})
		random := rand.New(rand.NewPCG(3, 4))
		last, used := map[string]float64{}, map[string]time.Time{}
		for round := range 30 {
			busy := round / 10 * 30 // the busy keys move on twice
			for range 200 {
				key := busy + random.IntN(60)
				if random.IntN(10) == 0 {
					key = random.IntN(150)
				}
				_ = hosts.For(key).Do(t.Context(), pass)
				used[fmt.Sprint("h", key)] = time.Now()
			}
			time.Sleep(15 * time.Second)
			now, shown := map[string]float64{}, 0
			for id, v := range b.collect() {
				if strings.HasPrefix(id, "seawall.breaker.calls{") {
					now[id] = v
					if strings.Contains(id, "outcome=success") && !strings.Contains(id, "key=_other") {
						shown++
					}
				}
			}
			if shown > 32 {
				t.Fatalf("%d keys are shown", shown)
			}
			for id, before := range last {
				v, there := now[id]
				_, key, _ := strings.Cut(id, "key=")
				key, _, _ = strings.Cut(key, ",")
				switch {
				case there && v < before:
					t.Errorf("round %d: %s went back from %v to %v", round, id, before, v)
				case !there && (key == "_other" || time.Since(used[key]) < 45*time.Second):
					t.Errorf("round %d: %s is gone, and was used %v ago", round, id, time.Since(used[key]))
				}
			}
			last = now
		}
		if last["seawall.breaker.calls{key=_other,name=hosts,outcome=success}"] == 0 {
			t.Error("nothing is among the others")
		}
		runtime.KeepAlive(hosts)
	})
}
