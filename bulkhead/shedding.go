package bulkhead

import "fmt"

// Shedding says who is turned away in lasting overload, among calls that are equally important.
type Shedding uint8

const (
	// ByArrival turns those away for whom there is no place or no time when they come. It is the default of [New].
	ByArrival Shedding = iota + 1
	// ByUser turns calls away at the door by a hash of their user ([seawall.UserOf]), so that a task of several calls is
	// served whole or not at all: where each call of two comes through by luck, one time in two, only a quarter of the
	// tasks do, and the other calls were served in vain. While there is no overload it costs a call nothing
	// that finds a slot free.
	//
	// It follows WeChat's DAGOR (Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC 2018). When the
	// queue has become a standing one (see [AdaptiveLIFO]), or more than a twentieth of those who came to it in a second
	// was turned away, the bulkhead begins to count: who asks, by level and by 128 ranges of the hash, and how much is
	// served, in windows of a second or, where fewer than 500 calls come in one, up to ten. After each window it lets as
	// many of the hash's range in as had asked for what was served, and a fiftieth more, or less if some had been turned
	// away behind the door. What is guaranteed to a level by [Shares] goes to its users first. The counting ends with a
	// window in which nobody was turned away. A slot that is free while nobody waits goes to whoever asks: so what is
	// served is what can be, and the door opens when there is more of it.
	//
	// The users who are turned away change every 15 minutes, in all instances at the same time. Calls without a user are
	// turned away by the dice, in the same proportion. The hash is no secret: whoever may choose a user's name freely may
	// choose one that comes through.
	//
	// Without a queue ByUser does nothing.
	ByUser
)

var sheddingNames = [...]string{"", "by_arrival", "by_user"}

// Valid reports whether s is 0, which is the default, or one of the ways.
func (s Shedding) Valid() bool { return int(s) < len(sheddingNames) }

// String returns "by_arrival" or "by_user", or "" for 0.
func (s Shedding) String() string {
	if s.Valid() {
		return sheddingNames[s]
	}
	return fmt.Sprintf("Shedding(%d)", uint8(s))
}

// MarshalText returns the form of String, for configuration files.
func (s Shedding) MarshalText() ([]byte, error) {
	if !s.Valid() {
		return nil, fmt.Errorf("bulkhead: no such shedding: %d", uint8(s))
	}
	return []byte(sheddingNames[s]), nil
}

// UnmarshalText reads the form of String.
func (s *Shedding) UnmarshalText(text []byte) error {
	for i, name := range sheddingNames {
		if string(text) == name {
			*s = Shedding(i)
			return nil
		}
	}
	return fmt.Errorf("bulkhead: no such shedding: %q, want one of %q", text, sheddingNames[1:])
}
