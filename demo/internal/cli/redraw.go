package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/seawall-go/seawall/demo/internal/report"
)

// redraw draws the goodput picture of a report: of the last scene in it, or of the one that -scenario names.
func (p program) redraw(o options) int {
	svg, err := goodput(o)
	if err == nil && o.out != "" {
		err = write(o.out, svg)
	} else if err == nil {
		_, err = p.stdout.Write(svg)
	}
	if err != nil {
		_, _ = fmt.Fprintf(p.stderr, "boxoffice: -plot: %v\n", err)
		return report.ExitUsage
	}
	return report.ExitHolds
}

func goodput(o options) ([]byte, error) {
	data, err := os.ReadFile(o.plot)
	if err != nil {
		return nil, err
	}
	r, err := report.Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.plot, err)
	}
	for _, s := range slices.Backward(r.Scenes) {
		if len(o.scenes) == 0 || len(o.scenes) == 1 && s.Scene.Name == o.scenes[0].Name {
			return s.Goodput().SVG(), nil
		}
	}
	if len(o.scenes) > 1 {
		return nil, fmt.Errorf("-scenario names %d scenes, want one", len(o.scenes))
	}
	return nil, fmt.Errorf("%s has no such scene", o.plot)
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
