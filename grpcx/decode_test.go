package grpcx_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/policyfile"
)

func TestClientAndServerComeFromAFile(t *testing.T) {
	file := []byte(`
client:
  timeout: off
  stream_settle: at_end
  retry_codes: [ABORTED, 13]
  methods:
    /catalog.v1.Catalog/Get*: {timeout: 2s, idempotency: idempotent, retry_codes: [], hedge: {}}
server: {timeout: off, deadline_margin: none, quota: {limit: {rate: 5}}, health_methods: []}
`)
	c, err := policyfile.Decode(file, "client", grpcx.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m := c.Methods["/catalog.v1.Catalog/Get*"]
	if c.Timeout != grpcx.Off || c.StreamSettle != grpcx.AtEnd || !slices.Equal(c.RetryCodes, []codes.Code{codes.Aborted, codes.Internal}) ||
		m.Timeout != 2*time.Second || m.Idempotency != grpcx.Idempotent || m.RetryCodes == nil || m.Hedge == nil {
		t.Errorf("client is %+v", c)
	}
	s, err := policyfile.Decode(file, "server", grpcx.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Timeout != grpcx.Off || s.DeadlineMargin != grpcx.NoMargin || s.Quota.Limit.Rate != 5 || s.HealthMethods == nil {
		t.Errorf("server is %+v", s)
	}
}

func TestWhatIsWrongInAFileIsToldAtItsLine(t *testing.T) {
	_, err := policyfile.Decode([]byte(`timeout: 1us
retry_codes: [GONE, OK]
methods:
  /a.B/C:
    timeout: 1us
    timout: off
    retry_codes: [1, 0]
  /a.B/D: {hedge: {max_attempts: 99}}
`), "", grpcx.ClientConfig{})
	for _, want := range []string{
		"line 1: timeout is 1µs, want at least 1ms, or off",
		`line 2: retry_codes[0] is "GONE", want a codes.Code`,
		`line 5: methods."/a.B/C".timeout is 1µs, want at least 1ms, or off`,
		`line 6: methods."/a.B/C".timout is unknown: did you mean timeout?`,
		`line 7: methods."/a.B/C".retry_codes[1] is OK, want a code of gRPC other than OK`,
		`line 8: methods."/a.B/D".hedge.max_attempts is 99, want `,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in\n%v", want, err)
		}
	}
}
