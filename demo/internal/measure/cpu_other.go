//go:build !unix && !windows

package measure

import "time"

// ProcessCPU returns false: this system does not tell.
func ProcessCPU() (time.Duration, bool) { return 0, false }
