package realrun_test

import (
	"os"
	"syscall"
)

// resident returns the most memory that a process had at a time, in bytes, as far as the system tells.
func resident(ended *os.ProcessState) int64 {
	usage, ok := ended.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return int64(usage.Maxrss) << 10 //nolint:unconvert // it is an int32 on 32 bits
}
