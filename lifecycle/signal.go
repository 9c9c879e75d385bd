package lifecycle

import (
	"os"
	"os/signal"
)

// dieOfASecond gives the signal behind so many more its usual effect, which is to end the process, whoever else in the
// program has asked for signals: a context of signal.NotifyContext goes on to swallow them. If it is such a context that
// has begun the end, its signal comes here as well, and is not the second one.
func dieOfASecond(signals <-chan os.Signal, more int, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case s := <-signals:
			if more--; more >= 0 {
				continue
			}
			signal.Reset(s)
			if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(s) != nil {
				os.Exit(2) // where a process cannot signal itself
			}
			return
		}
	}
}
