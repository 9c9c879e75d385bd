package main

import (
	"strings"
	"testing"
)

func TestExampleSaysWhatItShows(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"connection refused\n", "breaker \"payments\": open",
		`seawall_breaker_calls_total{seawall_name="payments",seawall_outcome="failure"} 4`,
		`seawall_breaker_rejections_total{seawall_name="payments",seawall_reason="open"} 2`,
		`seawall_breaker_state{seawall_breaker_state="open",seawall_name="payments"} 1`,
		`seawall_queue_wait_seconds_count{seawall_kind="bulkhead",seawall_name="printer",seawall_outcome="admitted"} 1`,
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing in\n%s", part, out.String())
		}
	}
}
