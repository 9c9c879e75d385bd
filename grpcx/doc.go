// Package grpcx puts the policies of this module around google.golang.org/grpc, on both sides.
//
// A client is safe by default:
//
//	conn, err := grpc.NewClient(target, append(grpcx.DialOptions("catalog", grpcx.ClientConfig{}), creds)...)
//
// Around each call there are a total limit and retries with one budget, and for each target and group of methods a
// circuit breaker and a limit of concurrent calls; around each attempt an attempt limit.
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
// A peer says refused by a trailer seawall-pushback: refused, which means that it has started nothing, and final by
// seawall-pushback: final or by a grpc-retry-pushback-ms that is negative: then the call is not repeated.
package grpcx
