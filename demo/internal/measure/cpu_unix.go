//go:build unix

package measure

import (
	"syscall"
	"time"
)

// ProcessCPU returns the processor time that this process has used, in user and kernel mode. false means that the
// system does not tell.
func ProcessCPU() (time.Duration, bool) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, false
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), true
}
