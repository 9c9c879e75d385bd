// Package restart tests a rolling restart as an orchestrator does it: with processes and signals.
package restart
