package measure

import (
	"syscall"
	"time"
)

// ProcessCPU returns the processor time that this process has used, in user and kernel mode. false means that the
// system does not tell.
func ProcessCPU() (time.Duration, bool) {
	process, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0, false
	}
	var created, exited, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(process, &created, &exited, &kernel, &user); err != nil {
		return 0, false
	}
	return ticks(kernel) + ticks(user), true
}

// ticks reads a length of time in the unit of 100 ns. Filetime's own method counts from 1601.
func ticks(t syscall.Filetime) time.Duration {
	return time.Duration(uint64(t.HighDateTime)<<32|uint64(t.LowDateTime)) * 100
}
