package grpcx

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/timeout"
)

// Off as a limit of time means that there is none.
const Off = timeout.Off

// ServerConfig sets a [Server]. A zero field is its default. It is data, but for the functions.
type ServerConfig struct {
	// Limit says what finds the number of calls that are handled at once. Default [FixedLimit].
	Limit Limit `json:"limit" yaml:"limit"`
	// Admission limits the calls that are handled at once, and those that wait, under a [FixedLimit]. Its Limit is 256
	// by default here: by Little's law that serves some 5,000 calls a second of 50 ms each. A stream holds its slot to its
	// end, however many messages it has.
	Admission bulkhead.Config `json:"admission" yaml:"admission"`
	// Adaptive does so under an [AdaptiveLimit]. It learns from the outcomes that the package's table gives to the codes,
	// and from the time until a call's first answer: how long a stream goes on then is up to its messages and its reader.
	Adaptive bulkhead.AdaptiveConfig `json:"adaptive" yaml:"adaptive"`
	// Place says where calls are admitted. Default [InInterceptor].
	Place Place `json:"place" yaml:"place"`
	// Quota limits the rate of each client. Default none: it is in force if Quota.Limiter.Rate is set.
	Quota ratelimit.GroupConfig[string] `json:"quota" yaml:"quota"`
	// Timeout is how long the handler of a unary call may take: its context ends then, or at the caller's deadline, less
	// the margin, whichever comes first. Default 30 s; at least 1 ms, or [Off]. It ends the context, and so what the handler does
	// with it; a handler that does not look at its context is not interrupted. A stream has the caller's deadline only:
	// the keepalive parameters of grpc-go bound how long one may stay open.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
	// DeadlineMargin is how much earlier than the caller's deadline the handler's context ends, so that the answer
	// arrives in time, and so that the caller hears of it from us; calls that the handler makes inherit it. Default 10 ms; at least
	// 1 ms, or [Off]. It never takes more than a tenth of the time that is left.
	DeadlineMargin time.Duration `json:"deadline_margin" yaml:"deadline_margin"`
	// HealthMethods are the full method names that are always let in: a full server that fails its probe gets killed, and
	// that is the outage. nil is the three of grpc.health.v1; an empty list is none.
	HealthMethods []string `json:"health_methods" yaml:"health_methods"`

	// QuotaKey names the client of a call, for the quota. It runs before the call is admitted, so it is to be quick: what
	// peer and metadata say. Default [PeerHost].
	QuotaKey func(ctx context.Context, method string) string `json:"-" yaml:"-"`
	// TrustPeer says whether a call comes from a peer that is believed about its priority and attempt. Default: none is.
	// It is asked only about calls that say something of these. See [TrustAll] and [TrustLoopback]; the peer and its
	// identity are in the context, see google.golang.org/grpc/peer. The deadline is always believed, since grpc-go does, and it
	// only shortens.
	TrustPeer func(context.Context) bool `json:"-" yaml:"-"`
	// Registry is where the server and its policies enter themselves, and where panics are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Limit says what finds the number of calls that are handled at once.
type Limit string

const (
	// FixedLimit is the number in ServerConfig.Admission. It is the default.
	FixedLimit Limit = "fixed"
	// AdaptiveLimit finds the number from how long the calls take and how they end, by ServerConfig.Adaptive.
	AdaptiveLimit Limit = "adaptive"
)

// Place says where a server admits calls.
type Place string

const (
	// InInterceptor admits a call when its request is there and decoded. Calls may wait in the queue. It is the default.
	InInterceptor Place = "interceptor"
	// BeforeDecode admits a call when its header is there, by a tap of grpc-go: one that is refused costs no memory for
	// its message. The slot is held from then on, also while the request is on its way, but not longer than Timeout if
	// no handler has begun by then. There is no queue, and no wait for the quota, because a tap holds up all calls of its
	// connection while it runs. A refusal has the status and its RetryInfo, but no trailers: a tap cannot send any. The
	// stats handlers of grpc-go do not see what is refused.
	BeforeDecode Place = "before_decode"
)

const defaultMargin = 10 * time.Millisecond

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Limit == "" {
		c.Limit = FixedLimit
	}
	if c.Place == "" {
		c.Place = InInterceptor
	}
	if c.Admission.Limit == 0 {
		c.Admission.Limit = 256
	}
	if c.Place == BeforeDecode {
		if c.Admission.Queue.Limit == 0 {
			c.Admission.Queue.Limit = bulkhead.NoQueue
		}
		if c.Adaptive.Queue.Limit == 0 {
			c.Adaptive.Queue.Limit = bulkhead.NoQueue
		}
	}
	if c.Admission.Registry == nil {
		c.Admission.Registry = c.Registry
	}
	if c.Adaptive.Registry == nil {
		c.Adaptive.Registry = c.Registry
	}
	if c.Quota.Registry == nil {
		c.Quota.Registry = c.Registry
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.DeadlineMargin == 0 {
		c.DeadlineMargin = defaultMargin
	}
	if c.HealthMethods == nil {
		c.HealthMethods = []string{
			grpc_health_v1.Health_Check_FullMethodName,
			grpc_health_v1.Health_Watch_FullMethodName,
			grpc_health_v1.Health_List_FullMethodName,
		}
	} else {
		c.HealthMethods = slices.Clone(c.HealthMethods)
	}
	if c.QuotaKey == nil {
		c.QuotaKey = PeerHost
	}
	if c.TrustPeer == nil {
		c.TrustPeer = trustNobody
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c ServerConfig) Validate() error {
	if c.Limit != "" && c.Limit != FixedLimit && c.Limit != AdaptiveLimit {
		return fmt.Errorf("grpcx: ServerConfig.Limit is %q, want %q or %q", c.Limit, FixedLimit, AdaptiveLimit)
	}
	if c.Place != "" && c.Place != InInterceptor && c.Place != BeforeDecode {
		return fmt.Errorf("grpcx: ServerConfig.Place is %q, want %q or %q", c.Place, InInterceptor, BeforeDecode)
	}
	if err := validateLimit("ServerConfig.Timeout", c.Timeout); err != nil {
		return err
	}
	if err := validateLimit("ServerConfig.DeadlineMargin", c.DeadlineMargin); err != nil {
		return err
	}
	for i, method := range c.HealthMethods {
		if method == "" || method[0] != '/' {
			return fmt.Errorf("grpcx: ServerConfig.HealthMethods[%d] is %q, want a full name such as /grpc.health.v1.Health/Check", i, method)
		}
	}
	if err := c.Admission.Validate(); err != nil {
		return fmt.Errorf("grpcx: ServerConfig.Admission: %w", err)
	}
	if err := c.Adaptive.Validate(); err != nil {
		return fmt.Errorf("grpcx: ServerConfig.Adaptive: %w", err)
	}
	if c.hasQuota() {
		if err := c.Quota.Validate(); err != nil {
			return fmt.Errorf("grpcx: ServerConfig.Quota: %w", err)
		}
	}
	if c.Place == BeforeDecode {
		return c.validateNoQueue()
	}
	return nil
}

// validateNoQueue holds that nothing is to wait in a tap.
func (c ServerConfig) validateNoQueue() error {
	const want = "want NoQueue with BeforeDecode"
	for _, f := range []struct {
		name  string
		limit int
	}{{"Admission", c.Admission.Queue.Limit}, {"Adaptive", c.Adaptive.Queue.Limit}} {
		if f.limit != 0 && f.limit != bulkhead.NoQueue {
			return fmt.Errorf("grpcx: ServerConfig.%s.Queue.Limit is %d, %s", f.name, f.limit, want)
		}
	}
	return nil
}

// hasQuota reports whether anything of the quota's limit was set: then it must be right.
func (c ServerConfig) hasQuota() bool { return c.Quota.Limiter.Rate != 0 || c.Quota.Limiter.Burst != 0 }

func validateLimit(field string, d time.Duration) error {
	if d != 0 && d != Off && d < time.Millisecond {
		return fmt.Errorf("grpcx: %s is %v, want at least 1ms, or Off", field, d)
	}
	return nil
}

// PeerHost names a client by the address of its connection, without the port. All clients behind one proxy are one.
func PeerHost(ctx context.Context, _ string) string {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ""
	}
	address := p.Addr.String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
