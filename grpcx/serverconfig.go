package grpcx

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// Off as a limit of time means that there is none.
const Off = timeout.Off

// NoMargin as ServerConfig.DeadlineMargin takes nothing off a caller's deadline.
const NoMargin time.Duration = -1

// ServerConfig sets a [Server]. The zero value is a good one for most services; a zero field is its default. The Registry of
// its parts is that of the ServerConfig unless they have their own. It is data, but for the functions.
type ServerConfig struct {
	// Quota limits how many calls each client makes, one after the other. Default none.
	Quota QuotaConfig `json:"quota" yaml:"quota"`
	// Admission limits the calls that are handled at once, and those that wait. Default an adaptive limit.
	Admission AdmissionConfig `json:"admission" yaml:"admission"`
	// Timeout is how long the handler of a unary call may take: its context ends then, or at the caller's deadline, less
	// the margin, whichever comes first. Default 30 s; at least 1 ms, or [Off]. It ends the context, and so what the
	// handler does with it; a handler that does not look at its context is not interrupted. A stream has the caller's
	// deadline only: the keepalive parameters of grpc-go bound how long one may stay open.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
	// DeadlineMargin is how much earlier than the caller's deadline the handler's context ends, so that the answer arrives
	// in time, and the caller hears of it from us; calls that the handler makes inherit it. Default 10 ms; at least 1 ms,
	// or [NoMargin]. It never takes more than a tenth of the time that is left.
	DeadlineMargin time.Duration `json:"deadline_margin" yaml:"deadline_margin"`
	// HealthMethods are the full method names that are always let in: a full server that fails its probe gets killed, and
	// that is the outage. Everything but the recovery from panics is left out for them. nil is the three of
	// grpc.health.v1; an empty list is none.
	HealthMethods []string `json:"health_methods" yaml:"health_methods"`

	// TrustPeer says whether a call comes from a peer that is believed about its priority and attempt. Default nil: none
	// is. It is asked only about calls that say something of these; the peer and its identity are in the context, see
	// google.golang.org/grpc/peer. See [TrustCIDR], [TrustClientCert], [TrustLoopback] and [TrustAll]. The deadline
	// is always believed, since grpc-go does, and it only shortens.
	TrustPeer func(context.Context) bool `json:"-" yaml:"-"`
	// Registry is where the server and its parts enter themselves, and where panics are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

const defaultMargin = 10 * time.Millisecond

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Quota.Registry == nil {
		c.Quota.Registry = c.Registry
	}
	if c.Admission.Registry == nil {
		c.Admission.Registry = c.Registry
	}
	c.Admission = c.Admission.withDefaults()
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
	if c.TrustPeer == nil {
		c.TrustPeer = trustNobody
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c ServerConfig) Validate() error {
	if !c.Quota.none() {
		if err := c.Quota.Validate(); err != nil {
			return fmt.Errorf("grpcx: ServerConfig.Quota: %w", err)
		}
	}
	if err := c.Admission.Validate(); err != nil {
		return fmt.Errorf("grpcx: ServerConfig.Admission: %w", err)
	}
	if err := validateLimit("ServerConfig.Timeout", c.Timeout); err != nil {
		return err
	}
	if d := c.DeadlineMargin; d != 0 && d != NoMargin && d < time.Millisecond {
		return fmt.Errorf("grpcx: ServerConfig.DeadlineMargin is %v, want at least 1ms, or NoMargin", d)
	}
	for i, method := range c.HealthMethods {
		if method == "" || method[0] != '/' {
			return fmt.Errorf("grpcx: ServerConfig.HealthMethods[%d] is %q, want a full name such as /grpc.health.v1.Health/Check",
				i, method)
		}
	}
	return nil
}

func validateLimit(field string, d time.Duration) error {
	if d != 0 && d != Off && d < time.Millisecond {
		return fmt.Errorf("grpcx: %s is %v, want at least 1ms, or Off", field, d)
	}
	return nil
}
