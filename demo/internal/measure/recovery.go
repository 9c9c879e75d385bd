package measure

import "time"

// The definition of "recovered", for a scene of full length.
const (
	// RecoveredPercent is the goodput from which an arm counts as recovered.
	RecoveredPercent = 95
	// RecoveredWindow is how many seconds the goodput must hold.
	RecoveredWindow = 5
)

// Recovery returns how long after end, the end of the last fault, an arm recovered: at the beginning of the first bin
// that begins at end or later, and from which the goodput over window bins is at least [RecoveredPercent]. The goodput
// is that of the window as a whole, good by offered, and not of each bin: Poisson arrivals scatter single bins by the
// root of their number, which at 140 a second is 8 %.
//
// 0 means that the fault left no damage. false means that the arm did not recover while the bins go on: a window that
// does not fit into them does not count, nor does one in which nothing was offered.
func Recovery(bins []Bin, end time.Duration, window int) (time.Duration, bool) {
	for first := binsOf(end); first+window <= len(bins); first++ {
		var good, offered int64
		for _, b := range bins[first : first+window] {
			good += int64(b.Good)
			offered += int64(b.Offered)
		}
		if offered > 0 && 100*good >= RecoveredPercent*offered {
			return time.Duration(first)*BinWidth - end, true
		}
	}
	return 0, false
}
