package httpx_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/policyfile"
	"github.com/seawall-go/seawall/ratelimit"
)

func TestClientAndServerComeFromAFile(t *testing.T) {
	file := []byte(`
client:
  timeout: off
  attempt_timeout: 2s
  attempt_span: end
  idle_timeout: off
  breaker: {slow: {over: off}}
  bulkhead: {queue: {limit: none}}
  hedge: {delay: 20ms}
  rate_limit: {rate: unlimited}
  keys: quoted
  replay_buffer: 0
  fields: {attempt: "-", other_timeouts: [{name: X-Timeout, form: millis}]}
server:
  inbound: {margin: none}
  quotas: [{name: free, limit: {rate: 5}, routes: [GET /free]}]
  admission: {fixed: {limit: 8}}
  time_limit: {first_byte: 3s, total: off}
  health_paths: []
`)
	c, err := policyfile.Decode(file, "client", httpx.ClientConfig{TrustPeer: httpx.TrustLoopback})
	if err != nil {
		t.Fatal(err)
	}
	if c.Timeout != httpx.Off || c.IdleTimeout != httpx.Off || c.AttemptTimeout != 2*time.Second || c.AttemptSpan != httpx.SpanEnd ||
		c.Breaker.Slow.Over != breaker.NoSlowCalls || c.Bulkhead.Queue.Limit != bulkhead.NoQueue ||
		!c.Hedge.Equal(hedge.Config{Delay: 20 * time.Millisecond}) || c.RateLimit.Rate != ratelimit.Unlimited ||
		c.Keys != httpx.QuotedKeys || c.Fields.Attempt != httpx.NoField || len(c.Fields.OtherTimeouts) != 1 || c.TrustPeer == nil {
		t.Errorf("client is %+v", c)
	}
	s, err := policyfile.Decode(file, "server", httpx.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Inbound.Margin != httpx.NoMargin || len(s.Quotas) != 1 || s.Quotas[0].Limit.Rate != 5 || s.Admission.Fixed.Limit != 8 ||
		s.TimeLimit.FirstByte != 3*time.Second || s.TimeLimit.Total != httpx.Off || s.HealthPaths == nil || len(s.HealthPaths) != 0 {
		t.Errorf("server is %+v", s)
	}
}

func TestWhatIsWrongInAFileIsToldAtItsLine(t *testing.T) {
	_, err := policyfile.Decode([]byte(`quotas:
  - name: a
    limit: {rate: 5, burst: -3}
inbound: {margin: -2s, fields: {other_timeouts: [{name: x, form: foo}]}}
time_limit: {total: -3s}
admission: {fixed: {limit: -1}, latency: until}
`), "", httpx.ServerConfig{})
	for _, want := range []string{
		"line 3: quotas[0].limit.burst is -3, want ",
		"line 4: inbound.margin is -2s, want at least 1ms, or none",
		`line 4: inbound.fields.other_timeouts[0].form is "foo", want one of millis, `,
		"line 5: time_limit.total is -3s, want at least 1ms, or off",
		"line 6: admission.fixed.limit is -1, want 1 to ",
		`line 6: admission.latency is "until", want one of until_first_byte, until_end`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in\n%v", want, err)
		}
	}
}
