package retry

// Funding says what pays for retries.
type Funding uint8

const (
	// FromBudget lets a budget pay, a shared one or the Retry's own.
	FromBudget Funding = iota
	// NoBudget makes retries free. When everything fails, the dependency gets MaxAttempts times its load.
	NoBudget
)

var fundingNames = [...]string{"budget", "none"}

// String returns "budget" or "none".
func (f Funding) String() string { return nameOf(fundingNames[:], uint8(f), "Funding") }

// MarshalText returns the form of String, for configuration files.
func (f Funding) MarshalText() ([]byte, error) {
	return marshalName(fundingNames[:], uint8(f), "funding")
}

// UnmarshalText reads the form of String.
func (f *Funding) UnmarshalText(text []byte) error {
	i, err := indexOf(fundingNames[:], text, "funding")
	if err == nil {
		*f = Funding(i)
	}
	return err
}
