package httpx

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// ClientConfig sets a [Transport]. The zero value is a good client for most services; a zero field is its default.
type ClientConfig struct {
	// Timeout is the total limit: for all attempts and the waits between them, for the redirects that follow, and for
	// reading the body of the response. Default 30 s; at least 1 ms, or [Off]. A shorter one than AttemptTimeout wants that
	// shortened as well: else a server that hangs gets one attempt, and no other follows. With Off, and without a deadline of the
	// caller, a body that never ends holds its reader for ever; [Transport.OpenBodies] lists those. The timeout policy of the
	// client counts the calls that it limits, so none then.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
	// AttemptTimeout is how long one attempt may take, the connection included. Default 10 s; at least 1 ms, or [Off].
	// Too short a limit turns a slow service into a failing one, and multiplies its load by the attempts.
	// One that is not shorter than Timeout leaves no time for a second attempt; [Transport.Lint] finds that.
	AttemptTimeout time.Duration `json:"attempt_timeout" yaml:"attempt_timeout"`
	// AttemptSpan says where AttemptTimeout ends. Default [SpanHeaders]: the body may take longer. What fails behind the
	// headers is not repeated, because the response has been returned by then.
	AttemptSpan AttemptSpan `json:"attempt_span" yaml:"attempt_span"`
	// IdleTimeout is how long the body of a response may make no progress, because nothing comes or because nobody reads.
	// Default [Off]; at least 1 ms. It ends a body that nobody closes, and a stream that has died; it must be longer than
	// the pauses of a stream, and than what the reader does between two reads.
	IdleTimeout time.Duration `json:"idle_timeout" yaml:"idle_timeout"`
	// Retry sets the retries. There is one for the client, so all hosts share its budget. By default a request has 3
	// attempts, with full jitter between them, and the budget is a tenth of the successes.
	Retry retry.Config `json:"retry" yaml:"retry"`
	// Hedge starts a second attempt of an idempotent request that is late, with an estimate of the latency for each host.
	// Default nil, which is off; an empty one is the default of [hedge.Config]. Without a Budget of its own it shares that
	// of Retry. Which requests are hedged is up to HedgeIf, and for one call to [WithoutHedges].
	Hedge *hedge.Config `json:"hedge,omitempty" yaml:"hedge,omitempty"`
	// HedgeOtherConn gives each hedge a connection of its own, with the price of a handshake: over HTTP/2 both attempts
	// would share one socket, and be stuck together. Default false. It works with an *http.Transport as base that has no
	// MaxConnsPerHost, and means nothing with others.
	HedgeOtherConn bool `json:"hedge_other_conn" yaml:"hedge_other_conn"`
	// Breaker sets the circuit breakers: one for each scheme, host and port. Its Slow.Over is by default nine tenths of
	// AttemptTimeout here, and [breaker.NoSlowCalls] where AttemptTimeout is Off or above its default: whoever raises it has
	// uploads or long polls, which take long by their nature. A call's time ends with the response headers.
	Breaker breaker.Config `json:"breaker" yaml:"breaker"`
	// Bulkhead limits the concurrent requests to each scheme, host and port, until the end of their response bodies. By
	// default 64 run at once, 64 more wait up to 1 s each, and what comes on top is refused: a burst of 200 requests to a
	// server that takes 1 s loses more than a third of them, whether healthy or not. It must be zero with Adaptive.
	Bulkhead bulkhead.Config `json:"bulkhead" yaml:"bulkhead"`
	// Adaptive limits the concurrent requests to each scheme, host and port by what that can serve, in the place of
	// Bulkhead, which must be zero then. Default nil, which is off; an empty one is the default of [bulkhead.AdaptiveConfig].
	Adaptive *bulkhead.AdaptiveConfig `json:"adaptive,omitempty" yaml:"adaptive,omitempty"`
	// RateLimit limits the rate of attempts to each scheme, host and port. Default nil, which is off. Beyond MaxHosts it
	// rejects new hosts as long as the buckets of the others are not full, rather than give each a full one.
	RateLimit *ratelimit.Config `json:"rate_limit,omitempty" yaml:"rate_limit,omitempty"`
	// MaxHosts is how many hosts are remembered, with their policies. Default 1000; 1 to 1,000,000. Hosts whose breaker is
	// not closed, or that have requests in flight, are kept in addition, and do not count.
	MaxHosts int `json:"max_hosts" yaml:"max_hosts"`

	// Settle says when the end of an attempt is told to the breaker, and its slot given back. Default [AtEnd].
	Settle Settle `json:"settle" yaml:"settle"`
	// Keys says whether a POST or PATCH without an idempotency key gets a random one, which makes it repeatable. Default
	// [NoKeys]: a server that does not look at the key would carry the request out twice.
	// A key that is made is the same for all attempts of a request, and new for the next request: a handler whose own client
	// may ask again sets one that follows from what it was asked, such as the key of its own request.
	Keys Keys `json:"keys" yaml:"keys"`
	// ReplayBuffer is how many bytes of a request body without a GetBody are kept while they are sent, so that the body can
	// be sent again. Default 0, which is off; at most 1 GiB. A body that outgrows it is not sent again. Each request with
	// such a body holds as much memory until it has ended.
	ReplayBuffer int `json:"replay_buffer" yaml:"replay_buffer"`
	// Fields names the fields by which facts are sent.
	Fields Fields `json:"fields" yaml:"fields"`

	// HedgeIf says whether a request is hedged, for clients whose reads are to be quicker, but whose writes are not to be
	// sent twice for that. Default nil: each one that may be is. It is asked once for each request that may be hedged: it is
	// idempotent, may have a second attempt, and its body, if any, can be made anew. What it says no to is repeated as ever,
	// and its latency does not count for the estimate of Hedge. It must not change the request, nor read its body. Before
	// it nothing was sent, so a panic of it is the caller's and leaves nothing behind. Without Hedge it means nothing.
	HedgeIf func(*http.Request) bool `json:"-" yaml:"-"`
	// TrustPeer says whether the server of a request is believed when it says that it has refused the request before it
	// did anything (Seawall-Pushback: refused): then even a POST is repeated. From the answers of others the field is
	// removed, unless it says final: whoever trusts a proxy would believe what its origin says. Default: none is. It is
	// asked only about answers that have the field, and a status of 400 or more. See [TrustAll] and [TrustLoopback].
	TrustPeer func(*http.Request) bool `json:"-" yaml:"-"`
	// Classify judges a response, for APIs that tell what happened by more than the status; v is what the package's table
	// says of it. Default nil: that stands. Of the body it may read the first 4 KiB, under the limit of the attempt, by
	// reading from resp.Body; whoever gets the response finds the body whole. It must not keep or change resp. A request
	// that cannot be sent again is not repeated, whatever it says, nor one that is not idempotent unless it says
	// RepeatAlways, nor one of which the server says final. A 101 is not shown to it. It runs in the goroutine of the
	// attempt, under no lock, and at the same time as others; a panic goes on to the caller. The verdicts of attempts
	// without a response: see retry.Config.
	Classify func(resp *http.Response, v seawall.Verdict) seawall.Verdict `json:"-" yaml:"-"`
	// Registry is where the policies enter themselves, unless their own Config names another. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// AttemptSpan says where the limit of an attempt ends.
type AttemptSpan uint8

// The values of [ClientConfig.AttemptSpan].
const (
	SpanHeaders   AttemptSpan = iota // at the response headers
	SpanFirstByte                    // at the first byte of the body, or at its end
	SpanEnd                          // at the end of the body
)

// Settle says when an attempt is over for the policies of its host.
type Settle uint8

// The values of [ClientConfig.Settle].
const (
	// AtEnd is at the end of the response body: one that breaks off is a failure, and one that is closed early is judged
	// by its status. How long the body takes does not count as time of the server.
	AtEnd Settle = iota
	// AtHeaders is at the response headers: for clients of long streams, which would hold their slots, and the probes of
	// their breaker, for as long.
	AtHeaders
)

// Keys says which idempotency keys are made.
type Keys uint8

// The values of [ClientConfig.Keys].
const (
	NoKeys     Keys = iota // none
	QuotedKeys             // as a string of structured fields, with quotes, as the draft has it
	BareKeys               // without quotes, for servers that want it so
)

const mostReplay = 1 << 30

func (c ClientConfig) withDefaults() ClientConfig {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.AttemptTimeout == 0 {
		c.AttemptTimeout = defaultAttemptTimeout
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = Off
	}
	c.Timeout, c.AttemptTimeout = min(c.Timeout, mostLimit), min(c.AttemptTimeout, mostLimit)
	c.IdleTimeout = min(c.IdleTimeout, mostLimit)
	if c.MaxHosts == 0 {
		c.MaxHosts = 1000
	}
	c.Fields = c.Fields.withDefaults()
	if c.TrustPeer == nil {
		c.TrustPeer = trustNobody
	}
	if c.Retry.Registry == nil {
		c.Retry.Registry = c.Registry
	}
	return c.detached()
}

// detached copies what the pointers point to, so that it is nobody else's.
func (c ClientConfig) detached() ClientConfig {
	if c.Hedge != nil {
		c.Hedge = new(*c.Hedge)
	}
	if c.Adaptive != nil {
		c.Adaptive = new(*c.Adaptive)
	}
	if c.RateLimit != nil {
		c.RateLimit = new(*c.RateLimit)
	}
	return c
}

const defaultAttemptTimeout = 10 * time.Second

// slowOver is from when on a call is slow that may take so long.
func slowOver(attempt time.Duration) time.Duration {
	if attempt == Off || attempt > defaultAttemptTimeout {
		return breaker.NoSlowCalls
	}
	return max(time.Millisecond, attempt-attempt/10)
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c ClientConfig) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("httpx: ClientConfig.%s is %v, want %s", field, value, want)
	}
	for _, limit := range [...]struct {
		field string
		d     time.Duration
	}{{"Timeout", c.Timeout}, {"AttemptTimeout", c.AttemptTimeout}, {"IdleTimeout", c.IdleTimeout}} {
		if err := validateLimit("ClientConfig."+limit.field, limit.d); err != nil {
			return err
		}
	}
	switch {
	case c.Adaptive != nil && !c.Bulkhead.Equal(bulkhead.Config{}):
		return bad("Bulkhead", "set", "it zero with Adaptive, which is in its place")
	case c.AttemptSpan > SpanEnd:
		return bad("AttemptSpan", c.AttemptSpan, "SpanHeaders, SpanFirstByte or SpanEnd")
	case c.MaxHosts < 0 || c.MaxHosts > 1_000_000:
		return bad("MaxHosts", c.MaxHosts, "1 to 1000000")
	case c.Settle > AtHeaders:
		return bad("Settle", c.Settle, "AtEnd or AtHeaders")
	case c.Keys > BareKeys:
		return bad("Keys", c.Keys, "NoKeys, QuotedKeys or BareKeys")
	case c.ReplayBuffer < 0 || c.ReplayBuffer > mostReplay:
		return bad("ReplayBuffer", c.ReplayBuffer, "0 to 1073741824")
	}
	return c.validatePolicies()
}

func (c ClientConfig) validatePolicies() error {
	policies := map[string]interface{ Validate() error }{
		"Retry": c.Retry, "Breaker": c.Breaker, "Bulkhead": c.Bulkhead, "Fields": c.Fields,
	}
	if c.Hedge != nil {
		policies["Hedge"] = *c.Hedge
	}
	if c.Adaptive != nil {
		policies["Adaptive"] = *c.Adaptive
	}
	if c.RateLimit != nil {
		policies["RateLimit"] = *c.RateLimit
	}
	for _, field := range slices.Sorted(maps.Keys(policies)) {
		if err := policies[field].Validate(); err != nil {
			return fmt.Errorf("httpx: ClientConfig.%s: %w", field, err)
		}
	}
	return nil
}
