// Package telemetry tests the export of metrics and the debug page with what people look at them through: the SDK of
// OpenTelemetry, a Prometheus, the queries of the dashboard, a browser.
package telemetry
