package retry

import "fmt"

// nameOf returns the name of value i, or a text that shows that it has none.
func nameOf(names []string, i uint8, typ string) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", typ, i)
}

func marshalName(names []string, i uint8, what string) ([]byte, error) {
	if int(i) < len(names) {
		return []byte(names[i]), nil
	}
	return nil, fmt.Errorf("retry: no such %s: %d", what, i)
}

func indexOf(names []string, text []byte, what string) (uint8, error) {
	for i, name := range names {
		if string(text) == name {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("retry: no such %s: %q, want one of %v", what, text, names)
}
