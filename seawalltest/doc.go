// Package seawalltest tests how a client and what it depends on behave together under load, in virtual time: whether they
// recover from a trigger or stay down when it has gone, how much the retries amplify, where the queues grow. Minutes of
// traffic pass in a second, on the policies that the program really uses.
//
//	func TestPaymentsRecoverFromAStall(t *testing.T) {
//		report := seawalltest.Run(t, seawalltest.Scenario{
//			Arrivals: seawalltest.Poisson(seawalltest.Constant(280)),
//			Dependency: seawalltest.Dependency{
//				Workers: 30, Service: seawalltest.Fixed(100 * time.Millisecond),
//				Phases: []seawalltest.Phase{seawalltest.Stall(30*time.Second, 40*time.Second)},
//			},
//			Client:   seawalltest.Policy(newPayments),
//			Duration: 2 * time.Minute,
//		})
//		report.Recovers(t, 40*time.Second, 12*time.Second, 0.95)
//		report.MaxAmplification(t, 1.2)
//	}
//
// # Why
//
// A metastable failure is one that outlives its cause: retries, or a queue of requests that nobody waits for any more,
// hold a system down that would be well without them. Bronson, Aghayev, Charapko and Zhu, "Metastable Failures in
// Distributed Systems" (HotOS 2021) hold that no unit test finds it. This package is that unit test.
//
// # How
//
// [Run] opens a bubble of testing/synctest. In it calls arrive as [Arrivals] say, each in a goroutine of its own, whether
// or not those before have ended; they go through the [Client], over an in-memory [Network] if it speaks HTTP or gRPC,
// and through the [Scenario.Server] policy to a [Dependency] with a bounded number of workers and a queue. The [Report]
// has what the clients saw second by second.
//
// The same seed gives the same run: arrivals, service times and errors are drawn from it, and so is the jitter of our
// policies. Two policies of other libraries, or two goroutines that act at the same nanosecond, are outside of that.
package seawalltest
