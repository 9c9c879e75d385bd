package telemetry

import (
	"slices"
	"strings"

	"github.com/seawall-go/seawall"
)

// value reads the value of a name.
func value(name string) func(seawall.Snapshot, yield) {
	return func(s seawall.Snapshot, give yield) {
		if v, ok := find(s, name); ok {
			give(v)
		}
	}
}

// parts reads all values under a prefix, such as calls.success and calls.failure; what follows is the attribute.
func parts(prefix string) func(seawall.Snapshot, yield) {
	return func(s seawall.Snapshot, give yield) {
		for _, v := range s.Values {
			if part, ok := strings.CutPrefix(v.Name, prefix); ok {
				give(v.V, part)
			}
		}
	}
}

// of reads those that are named, and leaves out the others under the prefix, which overlap with them.
func of(prefix string, names ...string) func(seawall.Snapshot, yield) {
	all := parts(prefix)
	return func(s seawall.Snapshot, give yield) {
		all(s, func(v float64, part ...string) {
			if slices.Contains(names, part[0]) {
				give(v, part...)
			}
		})
	}
}

// withKind puts the kind before the other attributes, for instruments that several kinds share.
func withKind(read func(seawall.Snapshot, yield)) func(seawall.Snapshot, yield) {
	return func(s seawall.Snapshot, give yield) {
		read(s, func(v float64, attributes ...string) {
			give(v, append([]string{s.Kind}, attributes...)...)
		})
	}
}

func find(s seawall.Snapshot, name string) (float64, bool) {
	for _, v := range s.Values {
		if v.Name == name {
			return v.V, true
		}
	}
	return 0, false
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func readMode(s seawall.Snapshot, give yield) {
	for _, m := range modes {
		give(oneIf(s.Mode == m), s.Kind, m.String())
	}
}

// readState leaves out a family, which has no state as a whole.
func readState(s seawall.Snapshot, give yield) {
	if s.State == "" {
		return
	}
	for _, state := range states {
		give(oneIf(s.State == state), state)
	}
}

// readCalls reads a bulkhead's calls. Nobody asks how important a call is that finds room: those are unasked.
func readCalls(s seawall.Snapshot, give yield) {
	admitted, _ := find(s, "calls.admitted")
	var rejected float64
	for _, v := range s.Values {
		if strings.HasPrefix(v.Name, "rejections.") {
			rejected += v.V
		}
	}
	for _, p := range priorities {
		in, _ := find(s, "contended."+p+".admitted")
		out, _ := find(s, "contended."+p+".rejected")
		give(in, p, "true")
		give(out, p, "false")
		admitted, rejected = admitted-in, rejected-out
	}
	give(max(0, admitted), "unasked", "true")
	give(max(0, rejected), "unasked", "false")
}

// readStatus reads the whole, as the check called "", and each check.
func readStatus(s seawall.Snapshot, give yield) {
	read := func(of seawall.Snapshot, check string) {
		for _, v := range of.Values {
			if status, ok := strings.CutPrefix(v.Name, "status."); ok {
				give(v.V, check, status)
			}
		}
	}
	read(s, "")
	for _, check := range s.Members {
		read(check, check.Name)
	}
}

// readRejections reads those by a reason of the closed list. A ratelimit's group counts some of them twice, and a brownout by
// the importance of what it sheds, which is one reason.
func readRejections(s seawall.Snapshot, give yield) {
	var shed float64
	for _, v := range s.Values {
		reason, ok := strings.CutPrefix(v.Name, "rejections.")
		switch {
		case !ok || s.Kind == "ratelimit" && reason == "no_room":
		case s.Kind == "brownout" && reason != string(seawall.ReasonForced):
			shed += v.V
		default:
			give(v.V, reason)
		}
	}
	if s.Kind == "brownout" {
		give(shed, string(seawall.ReasonShed))
	}
}
