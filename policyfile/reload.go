package policyfile

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/seawall-go/seawall"
)

// Reloaded is what became of a change of the file.
type Reloaded struct {
	// Added, Updated and Removed are the policies, such as: breaker "payments". Those of keyed chains are there once,
	// and change for a key when that is next used.
	Added, Updated, Removed []string
	// Chains are the names of the chains that come, go, or have other policies or another order of them than before.
	Chains []string
	// Err is why the change was refused; then nothing has changed.
	Err error
}

// Reload reads the file again and takes over what has changed, all of it or, with an error, nothing. It returns whether
// anything has changed.
//
// Policies are matched by kind and name, wherever they are. One that is still there is updated as by its Update method,
// and keeps its state: an open breaker stays open, calls stay in a bulkhead, and a mode that was set by hand stays if
// the file has the same one as before. Others come and go. A budget whose numbers stay keeps its tokens. A call that is
// under way ends in the chain in which it began; with each policy it meets the settings of one content of the file,
// which for one that comes later may be the next.
//
// The registry knows a policy that has gone until it has been collected: one of its kind and name that comes before
// that has a number behind its name there.
//
// A file is refused if it lacks a chain that [Set.Chain] or [Set.Keyed] has returned, or that is required. A Set of
// [Parse] has no file, and so an error. Functions of [Bind] and listeners of policies, which run meanwhile, must not
// reload the Set.
func (s *Set) Reload() (changed bool, err error) {
	if s.open == nil {
		return false, errors.New("policyfile: Reload: the set was made by Parse, and has no file")
	}
	data, err := s.read()
	if err != nil {
		s.tell(Reloaded{Err: err})
		return false, err
	}
	return s.Update(data)
}

// Update is [Set.Reload] for a content that the caller has read, from wherever it keeps its settings.
func (s *Set) Update(data []byte) (changed bool, err error) {
	r, err := s.replace(data)
	r.Err = err
	changed = len(r.Chains)+len(r.Added)+len(r.Updated)+len(r.Removed) > 0
	if changed || err != nil {
		s.tell(r)
	}
	return changed, err
}

// tell logs what became of a change, and tells the program.
func (s *Set) tell(r Reloaded) {
	if r.Err != nil {
		refused(s.opts.Registry, s.file, r.Err)
	} else {
		s.log(slog.LevelInfo, "seawall.config.updated",
			slog.String("chains", strings.Join(r.Chains, " ")),
			slog.String("added", strings.Join(r.Added, ", ")),
			slog.String("updated", strings.Join(r.Updated, ", ")),
			slog.String("removed", strings.Join(r.Removed, ", ")))
	}
	if s.opts.OnReload != nil {
		s.opts.OnReload(r)
	}
}

func (s *Set) log(level slog.Level, event string, attrs ...slog.Attr) {
	log(s.opts.Registry, s.file, level, event, attrs...)
}

func refused(r *seawall.Registry, name string, err error) {
	log(r, name, slog.LevelWarn, "seawall.config.refused", slog.String("error", err.Error()))
}

func log(r *seawall.Registry, name string, level slog.Level, event string, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("kind", "policyfile"), slog.String("name", name)}, attrs...)
	r.Log(context.Background(), level, event, attrs...)
}
