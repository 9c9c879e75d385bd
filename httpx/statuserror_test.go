package httpx_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// The status that a Classify or an OnRetry decides by was out of its reach.
func TestTheStatusIsWithinReachOfClassifyAndOnRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []int
		cfg := httpx.ClientConfig{Registry: quiet(), Retry: retry.Config{
			Classify: func(err error) seawall.Verdict {
				v := seawall.Classify(err)
				if e, ok := errors.AsType[*httpx.StatusError](err); ok && e.Code == http.StatusInternalServerError {
					v.Repeat = seawall.RepeatNever
				}
				return v
			},
			OnRetry: func(e retry.Event) {
				if status, ok := errors.AsType[*httpx.StatusError](e.Err); ok {
					told = append(told, status.Code)
				}
			},
		}}
		for status, want := range map[int]int{http.StatusInternalServerError: 1, http.StatusServiceUnavailable: 3} {
			asked := 0
			tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
				asked++
				return response(status, ""), nil
			}))
			if got, err := getBy(t, tr); err != nil || got != status || asked != want {
				t.Errorf("%d: asked %d times, want %d; %d, %v", status, asked, want, got, err)
			}
		}
		if len(told) != 2 || told[0] != 503 || told[1] != 503 {
			t.Errorf("OnRetry was told %v", told)
		}
	})
}
