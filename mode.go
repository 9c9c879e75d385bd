package seawall

import "fmt"

// Mode says how a gate acts on its own judgement. It can be switched while calls run; the gate's counts stay.
type Mode uint8

const (
	// Enforce is the normal mode, and the default.
	Enforce Mode = iota
	// Shadow judges and counts as Enforce does, and rejects nothing: a rehearsal.
	Shadow
	// ForcedOpen rejects every call.
	ForcedOpen
	// ForcedClosed rejects no call, and goes on counting.
	ForcedClosed
	// Off lets every call pass, uncounted.
	Off
)

var modeNames = [...]string{"enforce", "shadow", "forced_open", "forced_closed", "off"}

// String returns "enforce", "shadow", "forced_open", "forced_closed" or "off".
func (m Mode) String() string {
	if m.Valid() {
		return modeNames[m]
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// Valid reports whether m is one of the modes.
func (m Mode) Valid() bool { return int(m) < len(modeNames) }

// MarshalText returns the form of String, for configuration files.
func (m Mode) MarshalText() ([]byte, error) {
	if !m.Valid() {
		return nil, fmt.Errorf("seawall: no such mode: %d", uint8(m))
	}
	return []byte(modeNames[m]), nil
}

// UnmarshalText reads the form of String.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modeNames {
		if string(text) == name {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("seawall: no such mode: %q, want one of %v", text, modeNames)
}
