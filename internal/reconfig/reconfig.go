// Package reconfig logs what an Update or a SetMode has changed, in the same words for all kinds of policies.
package reconfig

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/seawall-go/seawall"
)

// ModeChanged logs a change of a gate's mode as seawall.gate.mode_changed, and nothing if it is the same. It runs the
// user's log handler, as Updated does, so no lock may be held.
func ModeChanged(r *seawall.Registry, kind, name string, from, to seawall.Mode) {
	if from != to {
		log(r, kind, name, slog.LevelWarn, "seawall.gate.mode_changed",
			slog.String("from", from.String()), slog.String("to", to.String()))
	}
}

// Updated logs the fields that have changed as seawall.config.updated, and nothing if there are none. The mode does not
// count as one: it has an event of its own.
func Updated(r *seawall.Registry, kind, name string, fields Fields) {
	fields = slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return f == "mode" || strings.HasSuffix(f, ".mode") })
	if len(fields) > 0 {
		log(r, kind, name, slog.LevelInfo, "seawall.config.updated", slog.String("fields", strings.Join(fields, " ")))
	}
}

func log(r *seawall.Registry, kind, name string, level slog.Level, event string, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("kind", kind), slog.String("name", name)}, attrs...)
	r.Log(context.Background(), level, event, attrs...)
}

// Fields collects the names of the fields in which two configurations differ, as they are in a file.
type Fields []string

// Add adds a field that differs.
func (f *Fields) Add(field string, differs bool) {
	if differs {
		*f = append(*f, field)
	}
}
