package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seawall-go/seawall/demo/internal/scene"
)

// The names of the files in the folder of a report.
const (
	PageFile    = "report.html"
	DataFile    = "report.json"
	PlanFile    = "plan.json"
	HistoryFile = "history.jsonl.gz"
)

// Folder is where the files of a run go. The history is written while the run goes on, the others at its end.
type Folder struct {
	path    string
	file    *os.File
	History *History
}

// OpenFolder makes the folder, if it is not there, and begins the history in it. So a folder that cannot be written to
// is known before the run and not after it.
func OpenFolder(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("report folder: %w", err)
	}
	file, err := os.Create(filepath.Join(path, HistoryFile))
	if err != nil {
		return nil, fmt.Errorf("report folder: %w", err)
	}
	return &Folder{path: path, file: file, History: NewHistory(file)}, nil
}

// Path returns the path of a file in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.path, name) }

// Write writes the report and ends the history. The error joins all that went wrong; the files that could be written
// are there.
func (f *Folder) Write(r Report) error {
	page, err := r.HTML()
	return errors.Join(err,
		os.WriteFile(f.Path(PageFile), page, 0o644),
		f.writeJSON(DataFile, r),
		f.writeJSON(PlanFile, r.Plan()),
		f.Close(),
	)
}

// Close ends the history.
func (f *Folder) Close() error { return errors.Join(f.History.Close(), f.file.Close()) }

func (f *Folder) writeJSON(name string, v any) error {
	data, err := Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(f.Path(name), data, 0o644)
}

// Marshal returns v as JSON that people can read, with a line end.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// Read reads what report.json holds. The error says if that is not a report, or one of another version.
func Read(r io.Reader) (Report, error) {
	var report Report
	if err := json.NewDecoder(r).Decode(&report); err != nil {
		return Report{}, fmt.Errorf("not a %s: %w", DataFile, err)
	}
	if report.Version != Version {
		return Report{}, fmt.Errorf("a %s of version %d, this program reads version %d", DataFile, report.Version, Version)
	}
	return report, nil
}

// Plan is enough to play a run again.
type Plan struct {
	Replay string        `json:"replay"`
	Seed   uint64        `json:"seed"`
	Load   float64       `json:"load"`
	Scenes []scene.Scene `json:"scenes"`
}

// Plan returns what was played.
func (r Report) Plan() Plan {
	p := Plan{Replay: r.Replay, Seed: r.Seed, Load: r.Load, Scenes: []scene.Scene{}}
	for _, s := range r.Scenes {
		p.Scenes = append(p.Scenes, s.Scene)
	}
	return p
}
