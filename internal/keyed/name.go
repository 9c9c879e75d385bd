package keyed

import "unicode/utf8"

// maxLabel is how much of a label is in a name, in bytes.
const maxLabel = 64

// MemberName returns the name of the member of a family whose key has a label, such as tenants[acme]. A long label is cut,
// between two characters.
func MemberName(family, label string) string {
	if len(label) > maxLabel {
		end := maxLabel
		for !utf8.RuneStart(label[end]) && end > maxLabel-utf8.UTFMax {
			end--
		}
		label = label[:end]
	}
	return family + "[" + label + "]"
}
