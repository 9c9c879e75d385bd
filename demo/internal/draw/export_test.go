package draw

// Mix is the mixer, for the test against the published vectors of SplitMix64.
func Mix(z uint64) uint64 { return mix(z) }

// Golden is the increment of SplitMix64.
const Golden = uint64(golden)
