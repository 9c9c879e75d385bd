// Package grpcx puts the policies of this module around google.golang.org/grpc, on both sides.
//
// A client is safe by default:
//
//	conn, err := grpc.NewClient(target, append(grpcx.DialOptions("catalog", grpcx.ClientConfig{}), creds)...)
//
// Around each call there are a total limit and retries with one budget, and for each target and group of methods a
// circuit breaker and a limit of concurrent calls; around each attempt an attempt limit. Hedging is a matter of
// configuration. It goes with whatever else a connection has: an interceptor that is given first sees one call, one that is
// given behind ours sees each attempt, and so does a stats handler.
//
// # What the end of a call means
//
//	code                                outcome                        repeated
//	UNAVAILABLE                         failure; overload if refused   idempotent calls; any if nothing was sent, or
//	                                                                   if a trusted peer says refused
//	RESOURCE_EXHAUSTED                  overload                       idempotent calls; any if the peer says when;
//	                                                                   never before that
//	DEADLINE_EXCEEDED by our attempt    failure                        idempotent calls, if time is left
//	limit, or by the peer
//	DEADLINE_EXCEEDED by the caller's   failure                        no
//	deadline
//	CANCELLED by the caller             ignored                        no
//	CANCELLED by the peer               failure                        idempotent calls
//	INTERNAL, UNKNOWN, DATA_LOSS        failure                        no
//	all others                          success                        no
//	a rejection by a policy of ours     ignored                        no
//
// RetryCodes adds codes to those that are repeated for idempotent calls. Nothing is repeated without a budget, past the
// deadline, or against the word of the server. It is known that nothing was sent if grpc-go has opened no stream for the
// call; what it repeats of its own accord, because a server has provably not processed it, are not our attempts.
//
// A call that waits for a connection to be ready, by grpc.WaitForReady or by the waitForReady of its method in the service
// config, is one attempt, that waits until the total limit or the caller's deadline. If it has waited in vain it is one
// failure, and is not repeated. The service config is asked when the attempt limit has passed over the wait; then what is
// inside of our interceptors sees the call come a second time, which is still the same attempt.
//
// A peer says refused by a trailer seawall-pushback: refused, which means that it has started nothing, and final by
// seawall-pushback: final or by a grpc-retry-pushback-ms that is negative: then the call is not repeated.
//
// # Idempotent methods
//
// A method may be carried out twice if its proto file says so:
//
//	rpc GetItem(GetItemRequest) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }
//	rpc PutItem(PutItemRequest) returns (Item) { option idempotency_level = IDEMPOTENT; }
//
// or the configuration, by ClientConfig.Methods, or a call, by [CallIdempotent]. A method of which nothing is said may not:
// UNAVAILABLE can follow a call that was sent and done. [Client.Lint] names services of which nothing is said.
//
// # Streams
//
// A stream is one call: one slot, held to its end, and one verdict. A stream of answers to one request is opened anew until
// its first message or header came, and never after that. A stream on which the client sends is opened anew only if
// opening it failed. Limits of time end with the first answer; from there on the caller's context alone ends it. As with
// grpc-go, a stream is to be read to its end, or its context canceled: either gives everything back, and so does closing
// the connection.
//
// # Errors
//
// Every error is a status error. That of a call with one attempt is the server's own, with its details. After several
// attempts it has the last one's code, and all of them in its tree. A rejection by a policy of ours matches
// seawall.ErrRejected and the policy's own error, such as breaker.ErrOpen; its code is UNAVAILABLE, RESOURCE_EXHAUSTED
// where a rate is kept, and its RetryInfo says when to come back. A limit of ours is DEADLINE_EXCEEDED and matches
// timeout.ErrExceeded, and never context.DeadlineExceeded: only the caller's own deadline does. A server that was told of the
// limit may answer DEADLINE_EXCEEDED just before it, as a [Server] does by its DeadlineMargin: within 10 ms of the limit, and a
// tenth of it, that is taken for the limit itself.
//
// # Telemetry
//
// The option of google.golang.org/grpc/stats/opentelemetry goes before those of a Client:
//
//	options := append([]grpc.DialOption{opentelemetry.DialOption(settings)}, client.DialOptions()...)
//
// Then a call that is repeated is there one call of several attempts. Given behind ours it takes each attempt for a call. The
// stats handler of otelgrpc sees each attempt in either order.
//
// The durations of attempts, which package telemetry has if it is asked for them, are those of the retry, and of the hedge.
// An attempt of a stream is told with its first answer, as a success, or at its end if none came.
package grpcx
