// Package conformance holds tests against what is too heavy for the other modules: the SDK and exporters of
// OpenTelemetry, Prometheus, a browser. Its programs run suites that are had elsewhere.
package conformance
