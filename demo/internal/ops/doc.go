// Package ops is what each service of an arm with Seawall has for the people who run it: liveness, readiness and startup,
// metrics for Prometheus, and the debug page.
package ops
