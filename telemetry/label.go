package telemetry

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode/utf8"

	"github.com/seawall-go/seawall"
)

// maxLabel is how long a name or key is in a metric, in bytes.
const maxLabel = 64

// label returns a name or key as it is exported. One that is too long, is not UTF-8, for which an exporter would refuse
// all that it has, or is the one of what is folded, is cut and ends with a hash, by which those that begin alike are told
// apart.
func label(s string) string {
	if len(s) <= maxLabel && s != other && utf8.ValidString(s) {
		return s
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	suffix := fmt.Sprintf("~%08x", h.Sum32())
	return strings.ToValidUTF8(s[:min(len(s), maxLabel-len(suffix))], "") + suffix
}

// clean returns the value of an attribute as it is exported.
func clean(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return label(s)
}

// member is one of a family, with the key by which it is known: that in psp[eu].
type member struct {
	seawall.Snapshot
	key string
}

// byKey returns the members of a family. Of those that have the same key the first stands for itself, and the others are
// among what is folded.
func byKey(family seawall.Snapshot) []member {
	members, taken := make([]member, 0, len(family.Members)), map[string]bool{}
	for _, s := range family.Members {
		key, ok := strings.CutPrefix(s.Name, family.Name+"[")
		if ok {
			key = strings.TrimSuffix(key, "]")
		} else {
			key = s.Name
		}
		if key = label(key); !taken[key] {
			taken[key] = true
			members = append(members, member{s, key})
		}
	}
	return members
}
