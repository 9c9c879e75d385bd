// Package ratelimit limits how many calls start in a time: a token bucket, a family of buckets by key, and a throttle
// that finds the rate by itself.
//
//	l := ratelimit.New("geocoder", ratelimit.Config{Rate: 50})
//	err := l.Do(ctx, func(ctx context.Context) error { return geocoder.Find(ctx, address) })
//	if errors.Is(err, ratelimit.ErrLimited) { ... }
//
// Which one to use:
//
//   - [Limiter] when the rate is known: a quota that was bought, or what one client may ask for. It is the token bucket
//     of golang.org/x/time/rate, as a policy.
//   - [Group] when each key has that rate: a tenant, a user, an address. Its memory is bounded, and a flood of new keys
//     evades no limit.
//   - [Throttle] when the dependency says no (HTTP 429, RESOURCE_EXHAUSTED) and the rate that it can bear is not known:
//     the client-side throttling of Google's SRE book.
//
// # The law of the bucket
//
// A bucket holds Burst tokens and gains Rate of them in a second, until it is full. A call takes one, or as many as it
// weighs. So in every interval of length t, wherever it begins, no more than Burst + Rate·t calls start: there is no edge
// of a window across which twice the burst would pass. Nothing runs in the background: the bucket is filled by
// computation, when it is looked at.
//
// # Wait or reject
//
// By default a call that finds too few tokens is rejected at once, and told when they will be there. With Config.MaxWait
// it waits for them, first in, first out, if they come in that time and before the caller's deadline; if not, it is
// rejected at once, because to wait in vain helps nobody. A call that leaves the queue has taken nothing: those behind it
// move up.
//
// # A call that was not made
//
// A token that was taken comes back if an inner gate, such as an open breaker, then rejected the call; see
// [Limiter.Release].
package ratelimit
