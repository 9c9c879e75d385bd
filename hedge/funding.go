package hedge

import "fmt"

// Funding says what pays for extra attempts, beside the [Cap].
type Funding uint8

const (
	// FromBudget lets a budget pay. One of the Hedge's own is funded by its successful calls; a shared one only by the
	// others that share it. A retry in the same chain sees each success as well, and if both paid in, twice the extra load
	// would be paid for. If there is none, a shared budget runs dry; then take Contribute.
	FromBudget Funding = iota
	// Contribute lets a shared budget pay, and the Hedge's successful calls fund it: for hedges that share one without a
	// retry around them.
	Contribute
	// NoBudget leaves only the Cap.
	NoBudget
)

var fundingNames = [...]string{"budget", "contribute", "none"}

// String returns "budget", "contribute" or "none".
func (f Funding) String() string {
	if int(f) < len(fundingNames) {
		return fundingNames[f]
	}
	return fmt.Sprintf("Funding(%d)", uint8(f))
}

// MarshalText returns the form of String, for configuration files.
func (f Funding) MarshalText() ([]byte, error) {
	if int(f) < len(fundingNames) {
		return []byte(fundingNames[f]), nil
	}
	return nil, fmt.Errorf("hedge: no such funding: %d", uint8(f))
}

// UnmarshalText reads the form of String.
func (f *Funding) UnmarshalText(text []byte) error {
	for i, name := range fundingNames {
		if string(text) == name {
			*f = Funding(i)
			return nil
		}
	}
	return fmt.Errorf("hedge: no such funding: %q, want one of %v", text, fundingNames)
}
