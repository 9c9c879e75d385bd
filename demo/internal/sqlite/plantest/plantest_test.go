package plantest_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
	"github.com/seawall-go/seawall/demo/internal/sqlite/plantest"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// judge is a test that counts what is held against it.
type judge struct {
	testing.TB
	errors int
}

func (*judge) Helper()                 {}
func (*judge) Logf(string, ...any)     {}
func (j *judge) Errorf(string, ...any) { j.errors++ }
func (j *judge) Failed() bool          { return j.errors > 0 }

var migrations = fstest.MapFS{"00001_show.sql": {Data: []byte(`-- +goose Up
CREATE TABLE show (id INTEGER PRIMARY KEY, title TEXT NOT NULL, starts INTEGER NOT NULL) STRICT;
CREATE INDEX ix_show_starts ON show (starts);
CREATE TABLE other (id INTEGER NOT NULL, starts INTEGER NOT NULL) STRICT;
-- +goose Down
DROP TABLE other;
DROP TABLE show;
`)}}

func TestCheckDoesNotOverlookABadPlan(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Memory, migrations)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, row := range []struct {
		query  string
		want   []string
		errors int
	}{
		{"SELECT title FROM show WHERE starts = 1", []string{"INDEX ix_show_starts"}, 0},
		{"SELECT title FROM show WHERE id = 1", []string{"INTEGER PRIMARY KEY"}, 0},
		{"SELECT 1", nil, 0},
		{"SELECT title FROM show", nil, 1},
		{"SELECT starts FROM show", nil, 1}, // through a covering index, but through all of it
		{"SELECT title FROM show WHERE starts > 1 ORDER BY title", nil, 1},
		{"SELECT title FROM show WHERE starts = 1", []string{"INDEX ix_show"}, 1},
		{"SELECT title FROM show WHERE starts = 1", []string{"COVERING INDEX ix_show_starts"}, 1},
		{"SELECT s.title FROM show AS s JOIN other AS o ON o.id = s.id WHERE s.starts = 1", nil, 1},
	} {
		j := &judge{TB: t}
		plan := plantest.Plan(t, db, row.query)
		if plantest.Check(j, plan, row.want...); j.errors != row.errors {
			t.Errorf("%s: %d errors, want %d; plan %q", row.query, j.errors, row.errors, plan)
		}
	}
	if schema := plantest.Schema(t, db); len(schema) != 3 {
		t.Errorf("schema %q", schema)
	}
}

func TestConstantsDoesNotOverlookAStatement(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.go")
	source := "package p\nconst one = `SELECT 1`\n" +
		"const (\n\ttwo = \"SELECT 2\"\n\tthree = `SELECT\n3`\n)\nvar none = `SELECT 4`\n"
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	got := plantest.Constants(t, file)
	if len(got) != 3 || got["one"] != "SELECT 1" || got["two"] != "SELECT 2" || got["three"] != "SELECT\n3" {
		t.Errorf("%q", got)
	}
}
