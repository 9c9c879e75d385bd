package sqlite_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
	"github.com/seawall-go/seawall/demo/internal/sqlite/plantest"
)

func TestMigrateDoesNotStopBetweenVersions(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		steps := migrations(
			[2]string{"CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;", "DROP TABLE a;"},
			[2]string{"CREATE TABLE b (id INTEGER PRIMARY KEY) STRICT;", "DROP TABLE b;"},
		)
		db := open(t, path, steps)
		for _, row := range []struct {
			version int64
			tables  string
		}{{sqlite.Latest, "ab"}, {1, "a"}, {0, ""}, {0, ""}, {1, "a"}, {2, "ab"}, {0, ""}, {sqlite.Latest, "ab"}} {
			if err := db.Migrate(t.Context(), steps, row.version); err != nil {
				t.Fatalf("to %d: %v", row.version, err)
			}
			tables := ""
			for _, line := range plantest.Schema(t, db) {
				tables += strings.TrimPrefix(line[:strings.Index(line, ":")], "table ")
			}
			if tables != row.tables {
				t.Errorf("at version %d: tables %q, want %q", row.version, tables, row.tables)
			}
		}
	})
}

func TestAFailedMigrationDoesNotStayHalf(t *testing.T) {
	first := [2]string{"CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;", "DROP TABLE a;"}
	db := open(t, sqlite.Memory, migrations(first))
	before := plantest.Schema(t, db)
	wrong := "CREATE TABLE b (id INTEGER) STRICT; CREATE TABLE a (id INTEGER) STRICT;"
	broken := migrations(first, [2]string{wrong, "SELECT 1;"})
	err := db.Migrate(t.Context(), broken, sqlite.Latest)
	if err == nil || !strings.Contains(err.Error(), "migrate from version 1") {
		t.Errorf("error %v", err)
	}
	if after := plantest.Schema(t, db); !slices.Equal(before, after) {
		t.Errorf("schema %v, want %v", after, before)
	}
}
