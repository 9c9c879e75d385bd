package httpx_test

import (
	"context"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
)

// T32
func TestWhatAPeerSaysIsReadStrictlyAndClamped(t *testing.T) {
	for _, row := range []struct {
		name     string
		header   http.Header
		timeout  time.Duration
		attempt  int
		priority seawall.Priority
	}{
		{"nothing", http.Header{}, 0, 0, 0},
		{"all three", http.Header{
			"X-Request-Timeout-Ms": {"1500"}, "Seawall-Attempt": {"2"}, "Seawall-Priority": {"sheddable"},
		}, 1500 * time.Millisecond, 2, seawall.Sheddable},
		{"Envoy's timeout", http.Header{"X-Envoy-Expected-Rq-Timeout-Ms": {"250"}}, 250 * time.Millisecond, 0, 0},
		{"the smaller of two timeouts", http.Header{
			"X-Request-Timeout-Ms": {"900"}, "X-Envoy-Expected-Rq-Timeout-Ms": {"250"},
		}, 250 * time.Millisecond, 0, 0},
		{"the smallest valid one", http.Header{
			"X-Request-Timeout-Ms": {"900", "garbage", "300"}, "X-Envoy-Expected-Rq-Timeout-Ms": {"-1"},
		}, 300 * time.Millisecond, 0, 0},
		{"seconds", http.Header{"Request-Timeout": {"2"}}, 2 * time.Second, 0, 0},
		{"gRPC's timeout", http.Header{"Grpc-Timeout": {"100m"}}, 100 * time.Millisecond, 0, 0},
		{"the smallest of all names", http.Header{
			"X-Request-Timeout-Ms": {"900"}, "Request-Timeout": {"1"}, "Grpc-Timeout": {"2S"},
		}, 900 * time.Millisecond, 0, 0},
		{"Envoy's attempt", http.Header{"X-Envoy-Attempt-Count": {"2"}}, 0, 2, 0},
		{"gRPC's attempt", http.Header{"Grpc-Previous-Rpc-Attempts": {"1"}}, 0, 2, 0},
		{"gRPC's attempt at its cap", http.Header{"Grpc-Previous-Rpc-Attempts": {"1000"}}, 0, httpx.MaxPeerAttempt, 0},
		{"no limit, as proxies say it", http.Header{"X-Request-Timeout-Ms": {"0"}}, 0, 0, 0},
		{"a timeout of another grammar", http.Header{"X-Request-Timeout-Ms": {"100m"}}, 0, 0, 0},
		{"a negative timeout", http.Header{"X-Request-Timeout-Ms": {"-1"}}, 0, 0, 0},
		{"an endless timeout", http.Header{"X-Request-Timeout-Ms": {"99999999999999999999"}}, httpx.MaxPeerTimeout, 0, 0},
		{"an attempt out of all proportion", http.Header{"Seawall-Attempt": {"4294967296"}}, 0, httpx.MaxPeerAttempt, 0},
		{"two attempts", http.Header{"Seawall-Attempt": {"2", "3"}}, 0, 0, 0},
		{"a negative attempt", http.Header{"Seawall-Attempt": {"-3"}}, 0, 0, 0},
		{"an unknown priority", http.Header{"Seawall-Priority": {"urgent"}}, 0, 0, 0},
		{"a priority in capitals", http.Header{"Seawall-Priority": {"Critical"}}, 0, 0, 0},
		{"two priorities", http.Header{"Seawall-Priority": {"critical", "sheddable"}}, 0, 0, seawall.Sheddable},
		{"two priorities in one line", http.Header{"Seawall-Priority": {"sheddable-plus, critical-plus"}}, 0, 0, seawall.SheddablePlus},
		{"a priority beside garbage", http.Header{"Seawall-Priority": {"sheddable", "", "urgent,"}}, 0, 0, seawall.Sheddable},
		{"the highest priority", http.Header{"Seawall-Priority": {"critical-plus"}}, 0, 0, seawall.CriticalPlus},
	} {
		t.Run(row.name, func(t *testing.T) {
			timeout, attempt, priority := httpx.Incoming(row.header)
			if timeout != row.timeout || attempt != row.attempt || priority != row.priority {
				t.Errorf("got %v, %d, %v; want %v, %d, %v",
					timeout, attempt, priority, row.timeout, row.attempt, row.priority)
			}
		})
	}
}

func TestNamesOfFieldsAreTheUsersChoice(t *testing.T) {
	f := httpx.Fields{
		Timeout: "x-budget", Attempt: httpx.NoField, Priority: "X-Importance",
		OtherTimeouts: []httpx.TimeoutField{{"x-deadline", httpx.Seconds}}, OtherAttempts: []httpx.AttemptField{},
		OtherPriorities: []string{"x-prio"},
	}
	timeout, attempt, priority := httpx.IncomingBy(f, http.Header{
		"X-Request-Timeout-Ms": {"1"}, "X-Budget": {"5000"}, "X-Deadline": {"3"},
		"Seawall-Attempt": {"2"}, "X-Envoy-Attempt-Count": {"3"}, "-": {"4"},
		"X-Importance": {"critical-plus"}, "X-Prio": {"sheddable"},
	})
	if timeout != 3*time.Second || attempt != 0 || priority != seawall.Sheddable {
		t.Errorf("reads %v, %d, %v", timeout, attempt, priority)
	}
	for _, row := range []struct {
		fields httpx.Fields
		want   string
	}{
		{httpx.Fields{}, ""},
		{httpx.Fields{Timeout: "a b"}, `httpx: Fields.Timeout is "a b", want the name of an HTTP field, or NoField`},
		{
			httpx.Fields{OtherTimeouts: []httpx.TimeoutField{{"", httpx.Millis}}},
			`httpx: Fields.OtherTimeouts[0].Name is "", want the name of an HTTP field, or NoField`,
		},
		{
			httpx.Fields{OtherAttempts: []httpx.AttemptField{{"A", 7}}},
			`httpx: Fields.OtherAttempts[0].Form is 7, want AttemptNumber or PreviousAttempts`,
		},
		{httpx.Fields{OtherPriorities: []string{"a:"}}, `httpx: Fields.OtherPriorities[0] is "a:", want the name of an HTTP field, or NoField`},
	} {
		if got := text(row.fields.Validate()); got != row.want {
			t.Errorf("%+v: %q, want %q", row.fields, got, row.want)
		}
	}
}

func TestOnlyWhatIsTrueNowIsSent(t *testing.T) {
	background := context.Background()
	sheddable := seawall.WithPriority(background, seawall.Sheddable)
	millis := func(ms string) http.Header { return http.Header{"X-Request-Timeout-Ms": {ms}} }
	stale := http.Header{
		"Accept": {"*/*"}, "X-Request-Timeout-Ms": {"1"}, "Seawall-Attempt": {"9"}, "Seawall-Priority": {"critical-plus"},
	}
	others := http.Header{
		"Accept": {"*/*"}, "X-Envoy-Expected-Rq-Timeout-Ms": {"1"}, "Request-Timeout": {"1"}, "Grpc-Timeout": {"1m"},
		"X-Envoy-Attempt-Count": {"9"}, "Grpc-Previous-Rpc-Attempts": {"8"},
	}
	for _, row := range []struct {
		name    string
		ctx     context.Context
		header  http.Header
		left    time.Duration
		limited bool
		want    http.Header
	}{
		{"nothing to say", background, http.Header{"Accept": {"*/*"}}, 0, false, http.Header{"Accept": {"*/*"}}},
		{"no header at all", background, nil, 0, false, http.Header{}},
		{"a limit, less a hundredth", background, http.Header{}, 1500 * time.Millisecond, true, millis("1480")},
		{"the limit of the client", background, http.Header{}, 30*time.Second - time.Microsecond, true, millis("29940")},
		{"part of a millisecond is cut off", background, nil, 1999 * time.Microsecond, true, millis("1")},
		{"0 would mean no limit", background, nil, 400 * time.Microsecond, true, millis("1")},
		{"a deadline that has passed", background, nil, -time.Second, true, millis("1")},
		{"the first attempt", seawall.WithAttempt(background, 1), nil, 0, false, http.Header{}},
		{"the second attempt", seawall.WithAttempt(background, 2), nil, 0, false, http.Header{"Seawall-Attempt": {"2"}}},
		{"the priority that all have", seawall.WithPriority(background, seawall.Critical), nil, 0, false, http.Header{}},
		{"another priority", sheddable, nil, 0, false, http.Header{"Seawall-Priority": {"sheddable"}}},
		{"what somebody else claimed", background, stale, 0, false, http.Header{"Accept": {"*/*"}}},
		{"what somebody else claimed by other names", background, others, 0, false, http.Header{"Accept": {"*/*"}}},
		{
			"over what somebody else claimed", background, stale, time.Second, true,
			http.Header{"Accept": {"*/*"}, "X-Request-Timeout-Ms": {"990"}},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := row.header.Clone()
			got := httpx.Outgoing(row.ctx, row.header, row.left, row.limited)
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("sends %v, want %v", got, row.want)
			}
			if !reflect.DeepEqual(row.header, before) {
				t.Errorf("the caller's header is now %v", row.header)
			}
		})
	}
}

func TestHostsAreTheSameInEverySpelling(t *testing.T) {
	for _, row := range []struct{ url, want, err string }{
		{"http://a.example/x?y", "http://a.example", ""},
		{"http://A.Example:80", "http://a.example", ""},
		{"HTTP://a.example:", "http://a.example", ""},
		{"http://a.example:443", "http://a.example:443", ""},
		{"https://a.example:443", "https://a.example", ""},
		{"https://a.example:80", "https://a.example:80", ""},
		{"https://user:secret@a.example/", "https://a.example", ""},
		{"http://[::1]:80/", "http://[::1]", ""},
		{"http://[::1]:8080/", "http://[::1]:8080", ""},
		{"file:///etc/hosts", "file://", ""},
		{"http:///path", "http://", "httpx: request URL without a host"},
		{"http://:80/path", "http://", "httpx: request URL without a host"},
		{"//a.example/", "://a.example", "httpx: request URL without a scheme"},
	} {
		u, err := url.Parse(row.url)
		if err != nil {
			t.Fatal(err)
		}
		got, err := httpx.Key(u)
		if message := text(err); got != row.want || message != row.err {
			t.Errorf("%s: %q, %q; want %q, %q", row.url, got, message, row.want, row.err)
		}
	}
	if _, err := httpx.Key(nil); text(err) != "httpx: request without a URL" {
		t.Errorf("no URL: %v", err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

var onlyDigits = regexp.MustCompile(`^[0-9]+$`)

func FuzzDigits(f *testing.F) {
	for _, seed := range []string{
		"", "0", "9", "-1", "+1", "9223372036854775807", "9223372036854775808", "1e3", "٣", "00012",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := httpx.ParseDigits(s)
		if ok != onlyDigits.MatchString(s) {
			t.Fatalf("ParseDigits(%q) is %v", s, ok)
		}
		if !ok {
			return
		}
		exact, _ := new(big.Int).SetString(s, 10)
		want := int64(math.MaxInt64)
		if exact.IsInt64() {
			want = exact.Int64()
		}
		if n != want {
			t.Fatalf("ParseDigits(%q) = %d, want %d", s, n, want)
		}
		if d, ok := httpx.ParseMillis(s); ok && (d <= 0 || d > httpx.MaxPeerTimeout) {
			t.Fatalf("ParseMillis(%q) = %v", s, d)
		}
	})
}

func FuzzIncoming(f *testing.F) {
	f.Add("1500", "250", "2", "100m", "2", "1", "sheddable")
	f.Add("", "", "", "", "", "", "")
	f.Add("-1", "0", "99999999999999999999", "99999999H", "99999999999999999999", "1000", "Critical")
	f.Fuzz(func(t *testing.T, timeout, envoy, seconds, grpc, attempt, previous, priority string) {
		d, n, p := httpx.Incoming(http.Header{
			"X-Request-Timeout-Ms": {timeout}, "X-Envoy-Expected-Rq-Timeout-Ms": {envoy},
			"Request-Timeout": {seconds}, "Grpc-Timeout": {grpc},
			"Seawall-Attempt": {attempt}, "Grpc-Previous-Rpc-Attempts": {previous}, "Seawall-Priority": {priority},
		})
		if d < 0 || d > httpx.MaxPeerTimeout || n < 0 || n > httpx.MaxPeerAttempt || p > seawall.CriticalPlus {
			t.Fatalf("believes %v, %d, %v", d, n, p)
		}
	})
}
