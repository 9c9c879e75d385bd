package fault_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// T78: what a kind cannot do, or cannot do at its seam, is refused by the field and the range.
func TestKindsRefuseWhatTheyCannotDo(t *testing.T) {
	of := func(kind fault.Kind, change func(*fault.Fault)) fault.Fault {
		f := fault.Fault{For: 1, Kind: kind, Target: "a"}
		change(&f)
		return f
	}
	for want, bad := range map[string]fault.Fault{
		`seam is call, want none for kind "bandwidth"`: of(fault.Bandwidth, func(f *fault.Fault) { f.Seam, f.Rate = fault.OnCall, 1 }),
		`seam is conn, want none for kind "status"`:    of(fault.StatusCode, func(f *fault.Fault) { f.Seam, f.Status = fault.OnConn, 500 }),
		`seam is wire, want "conn" or "call" for kind "timeout"`: of(fault.Timeout, func(f *fault.Fault) {
			f.Seam = "wire"
		}),
		`stream is both, want none for kind "latency" at seam "call"`: of(fault.Latency, func(f *fault.Fault) {
			f.Seam, f.Stream = fault.OnCall, fault.BothStreams
		}),
		`route is /a, want none for kind "corrupt" at seam "conn"`: of(fault.Corrupt, func(f *fault.Fault) { f.Route = "/a" }),
		`messages is 1, want none for kind "reset_peer" at seam "conn"`: of(fault.ResetPeer, func(f *fault.Fault) {
			f.Messages = 1
		}),
		`timeout is 1s, want none for kind "reset_peer" at seam "call"`: of(fault.ResetPeer, func(f *fault.Fault) {
			f.Seam, f.Timeout = fault.OnCall, time.Second
		}),
		`timeout is 1s, want 0s to 1h, and none beside bytes for kind "reset_peer"`: of(fault.ResetPeer, func(f *fault.Fault) {
			f.Bytes, f.Timeout = 1, time.Second
		}),
		`timeout is 1h0m0.000000001s, want 0s to 1h for kind "timeout"`: of(fault.Timeout, func(f *fault.Fault) { f.Timeout = time.Hour + 1 }),
		`route is /a, want none for kind "stall"`:                       of(fault.Stall, func(f *fault.Fault) { f.Route = "/a" }),
		`stream is upstream, want none for kind "blackhole"`: of(fault.Blackhole, func(f *fault.Fault) {
			f.Stream = fault.Upstream
		}),
		`method is G T, want a token such as GET for kind "ack_lost"`:        of(fault.AckLost, func(f *fault.Fault) { f.Method = "G T" }),
		`route is /[, want a pattern of path.Match for kind "ack_lost"`:      of(fault.AckLost, func(f *fault.Fault) { f.Route = "/[" }),
		`header is a b=1, want "name" or "name=value" for kind "ack_lost"`:   of(fault.AckLost, func(f *fault.Fault) { f.Header = "a b=1" }),
		`header is =1, want "name" or "name=value" for kind "ack_lost"`:      of(fault.AckLost, func(f *fault.Fault) { f.Header = "=1" }),
		"header is a=\n, want \"name\" or \"name=value\" for kind \"error\"": of(fault.Error, func(f *fault.Fault) { f.Header = "a=\n" }),
		`toxicity is 1, want none for kind "error"`:                          of(fault.Error, func(f *fault.Fault) { f.Toxicity = 1 }),
		`status is 0, want 200 to 599, or a code for kind "status"`:          of(fault.StatusCode, func(*fault.Fault) {}),
		`status is 199, want 200 to 599, or a code for kind "status"`:        of(fault.StatusCode, func(f *fault.Fault) { f.Status = 199 }),
		`status is 600, want 200 to 599, or a code for kind "status"`:        of(fault.StatusCode, func(f *fault.Fault) { f.Status, f.Code = 600, "ABORTED" }),
		`code is OK, want the name of a gRPC code such as UNAVAILABLE for kind "status"`: of(fault.StatusCode, func(f *fault.Fault) {
			f.Code = "OK"
		}),
		`retry_after is 25h0m0s, want 0s to 24h for kind "status"`: of(fault.StatusCode, func(f *fault.Fault) {
			f.Status, f.RetryAfter = 503, 25*time.Hour
		}),
		`body is ` + strings.Repeat("x", 64) + `..., want at most 65536 bytes of UTF-8 for kind "status"`: of(fault.StatusCode, func(f *fault.Fault) {
			f.Status, f.Body = 503, strings.Repeat("x", 65537)
		}),
		`body is ?, want at most 65536 bytes of UTF-8 for kind "status"`: of(fault.StatusCode, func(f *fault.Fault) { f.Status, f.Body = 503, "\xff" }),
		`average_size is 0, want 1 to 1048576 for kind "slicer"`:         of(fault.Slicer, func(*fault.Fault) {}),
		`size_variation is 4, want 0 to below the average size for kind "slicer"`: of(fault.Slicer, func(f *fault.Fault) {
			f.AverageSize, f.SizeVariation = 4, 4
		}),
		`delay is -1ns, want 0s to 1h for kind "slow_close"`: of(fault.SlowClose, func(f *fault.Fault) { f.Delay = -1 }),
		`delay is 1ns, want none for kind "stall"`:           of(fault.Stall, func(f *fault.Fault) { f.Delay = 1 }),
		`bytes is -1, want 0 to 1099511627776 for kind "limit_data"`: of(fault.LimitData, func(f *fault.Fault) {
			f.Bytes = -1
		}),
		`messages is -1, want 0 to 1099511627776 for kind "truncate"`: of(fault.Truncate, func(f *fault.Fault) { f.Messages = -1 }),
		`rate is 1.1, want 0 to 1 for kind "corrupt"`:                 of(fault.Corrupt, func(f *fault.Fault) { f.Rate = 1.1 }),
		`distribution is gauss, want "uniform", "fixed", "normal", "lognormal" or "pareto" for kind "latency"`: of(fault.Latency, func(f *fault.Fault) {
			f.Distribution = "gauss"
		}),
		`jitter is 1s, want none but for uniform and normal for kind "latency"`: of(fault.Latency, func(f *fault.Fault) {
			f.Latency, f.Jitter, f.Distribution = time.Second, time.Second, fault.Fixed
		}),
		`shape is 1, want none but for lognormal and pareto for kind "latency"`: of(fault.Latency, func(f *fault.Fault) { f.Shape = 1 }),
		`shape is 0, want 0.01 to 10 for kind "latency"`: of(fault.Latency, func(f *fault.Fault) {
			f.Distribution = fault.LogNormal
		}),
		`shape is NaN, want 0.1 to 100 for kind "latency"`: of(fault.Latency, func(f *fault.Fault) {
			f.Distribution, f.Shape = fault.Pareto, math.NaN()
		}),
		`cap is 1s, want the latency to 1h for kind "latency"`: of(fault.Latency, func(f *fault.Fault) {
			f.Distribution, f.Latency, f.Jitter, f.Cap = fault.Normal, 2*time.Second, 1, time.Second
		}),
		`cap is 1s, want none but for normal, lognormal and pareto for kind "latency"`: of(fault.Latency, func(f *fault.Fault) { f.Cap = time.Second }),
	} {
		err := fault.Plan{Faults: []fault.Fault{bad}}.Validate()
		if want := "fault: plan: faults[0]." + want; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestKindsPrintWhatTheyWereReadFrom(t *testing.T) {
	for _, text := range []string{
		`{"at":"0s","for":"1s","kind":"latency","target":"a","seam":"call","latency":"1s","jitter":"0s","distribution":"normal","cap":"2s"}`,
		`{"at":"0s","for":"1s","kind":"latency","target":"a","latency":"1s","distribution":"pareto","shape":1.5,"cap":"1m0s","stream":"both"}`,
		`{"at":"0s","for":"1s","kind":"slicer","target":"a","delay":"1ms","average_size":4,"size_variation":3}`,
		`{"at":"0s","for":"1s","kind":"timeout","target":"a","timeout":"1s","stream":"upstream","toxicity":0}`,
		`{"at":"0s","for":"1s","kind":"slow_close","target":"a","delay":"0s"}`,
		`{"at":"0s","for":"1s","kind":"corrupt","target":"a","rate":0}`,
		`{"at":"0s","for":"1s","kind":"truncate","target":"a","bytes":1,"messages":2,"toxicity":0.5}`,
		`{"at":"0s","for":"1s","kind":"status","target":"a","status":503,"code":"ABORTED","retry_after":"1.5s","body":"` +
			strings.Repeat("long ", 50) + `","method":"GET","route":"/a/*","header":"x=` + strings.Repeat("y", 100) + `"}`,
	} {
		var f fault.Fault
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		if err := (fault.Plan{Faults: []fault.Fault{f}}).Validate(); err != nil {
			t.Error(err)
		}
		if got, err := json.Marshal(f); err != nil || string(got) != text {
			t.Errorf("got  %s, %v\nwant %s", got, err, text)
		}
	}
	if _, err := json.Marshal(fault.Fault{Kind: fault.Error, Rate: math.NaN()}); err == nil {
		t.Error("what JSON cannot say is written")
	}
}

// Who may be aimed at by what a caller sends is part of a configuration.
func TestConfigKnowsWhetherHeadersAreAllowed(t *testing.T) {
	cfg := fault.Config{AllowHeaders: true}
	if cfg.Equal(fault.Config{}) || !cfg.Equal(fault.Config{AllowHeaders: true}) {
		t.Error("it makes no difference")
	}
	text, err := json.Marshal(cfg)
	if err != nil || string(text) != `{"plan":{"seed":0,"faults":[]},"allow_headers":true}` {
		t.Error(string(text), err)
	}
	var again fault.Config
	if err := json.Unmarshal(text, &again); err != nil || !again.Equal(cfg) {
		t.Error(again, err)
	}
}
