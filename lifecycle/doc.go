// Package lifecycle runs the parts of a program, its servers and workers, and ends them in the order in which nothing is
// lost.
//
//	report, err := lifecycle.Run(ctx, lifecycle.Config{Health: h},
//		lifecycle.HTTP("api", server, listener, handler.Drain),
//		lifecycle.GRPC("orders", grpcServer, grpcListener, mirror.Shutdown, orders.Drain),
//		lifecycle.Worker("outbox", relay.Run),
//		lifecycle.Flush("telemetry", provider.Shutdown),
//	)
//
// # The end
//
// It begins with SIGTERM or SIGINT, with the end of ctx, or when a part fails. Then:
//
//	1  at once        health drains: readiness fails. The Drain of each part: no new background work
//	2  DrainDelay     servers go on serving, because the load balancer still sends. HTTP answers say Connection: close
//	3  then           servers refuse what still comes, stop accepting, and finish what they have
//	4  then           workers stop
//	5  StopTimeout    after the signal, what has not ended is cut off
//	6  last           telemetry is flushed
//
// The second step is the one that is left out most often: the removal of an instance from its load balancer, and the signal
// to end, run side by side, so a server that stops at once refuses requests that are still sent to it.
//
// A second signal ends the process at once, whatever else in the program has asked for signals. If it is the end of ctx
// that has begun it, as that of a signal.NotifyContext, the signal is the first one all the same.
package lifecycle
