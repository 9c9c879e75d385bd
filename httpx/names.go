package httpx

import "fmt"

// names are those of the values of a type of settings, in files.
type names []string

// text returns the name of value i, or one that shows that it has none.
func (n names) text(i uint8) string {
	if int(i) < len(n) {
		return n[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

func (n names) marshal(i uint8) ([]byte, error) {
	if int(i) < len(n) {
		return []byte(n[i]), nil
	}
	return nil, fmt.Errorf("httpx: there is no value %d, want one of %v", i, []string(n))
}

func (n names) unmarshal(text []byte) (uint8, error) {
	for i, name := range n {
		if string(text) == name {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("httpx: there is no %q, want one of %v", text, []string(n))
}

var (
	spanNames        = names{"headers", "first_byte", "end"}
	settleNames      = names{"at_end", "at_headers"}
	keysNames        = names{"none", "quoted", "bare"}
	timeoutFormNames = names{"millis", "seconds", "grpc"}
	attemptFormNames = names{"number", "previous"}
)

// String returns "headers", "first_byte" or "end".
func (s AttemptSpan) String() string { return spanNames.text(uint8(s)) }

// MarshalText returns the String. The error is for a value that is none.
func (s AttemptSpan) MarshalText() ([]byte, error) { return spanNames.marshal(uint8(s)) }

// UnmarshalText reads what MarshalText writes.
func (s *AttemptSpan) UnmarshalText(text []byte) error {
	i, err := spanNames.unmarshal(text)
	*s = AttemptSpan(i)
	return err
}

// String returns "at_end" or "at_headers".
func (s Settle) String() string { return settleNames.text(uint8(s)) }

// MarshalText returns the String. The error is for a value that is none.
func (s Settle) MarshalText() ([]byte, error) { return settleNames.marshal(uint8(s)) }

// UnmarshalText reads what MarshalText writes.
func (s *Settle) UnmarshalText(text []byte) error {
	i, err := settleNames.unmarshal(text)
	*s = Settle(i)
	return err
}

// String returns "none", "quoted" or "bare".
func (k Keys) String() string { return keysNames.text(uint8(k)) }

// MarshalText returns the String. The error is for a value that is none.
func (k Keys) MarshalText() ([]byte, error) { return keysNames.marshal(uint8(k)) }

// UnmarshalText reads what MarshalText writes.
func (k *Keys) UnmarshalText(text []byte) error {
	i, err := keysNames.unmarshal(text)
	*k = Keys(i)
	return err
}

// String returns "millis", "seconds" or "grpc".
func (f TimeoutForm) String() string { return timeoutFormNames.text(uint8(f)) }

// MarshalText returns the String. The error is for a value that is none.
func (f TimeoutForm) MarshalText() ([]byte, error) { return timeoutFormNames.marshal(uint8(f)) }

// UnmarshalText reads what MarshalText writes.
func (f *TimeoutForm) UnmarshalText(text []byte) error {
	i, err := timeoutFormNames.unmarshal(text)
	*f = TimeoutForm(i)
	return err
}

// String returns "number" or "previous".
func (f AttemptForm) String() string { return attemptFormNames.text(uint8(f)) }

// MarshalText returns the String. The error is for a value that is none.
func (f AttemptForm) MarshalText() ([]byte, error) { return attemptFormNames.marshal(uint8(f)) }

// UnmarshalText reads what MarshalText writes.
func (f *AttemptForm) UnmarshalText(text []byte) error {
	i, err := attemptFormNames.unmarshal(text)
	*f = AttemptForm(i)
	return err
}
