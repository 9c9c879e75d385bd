// Package plantest proves that the queries of a package use the indexes that were made for them, and that its
// migrations can be taken back. Only tests import it.
package plantest

import (
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// Plan returns the steps by which SQLite would run a statement: the details of EXPLAIN QUERY PLAN, in order. The
// statement is not run.
func Plan(t testing.TB, db *sqlite.DB, statement string, args ...any) []string {
	t.Helper()
	return text(t, db, 3, "EXPLAIN QUERY PLAN "+statement, args...)
}

// Check fails the test unless the statement's plan names each of the wanted indexes or keys, in the words of EXPLAIN
// QUERY PLAN, and neither walks through a whole table, nor sorts in a temporary B-tree, nor builds an index of its own
// on the way.
func Check(t testing.TB, plan []string, want ...string) {
	t.Helper()
	for _, step := range plan {
		if strings.HasPrefix(step, "SCAN ") && step != "SCAN CONSTANT ROW" {
			t.Errorf("walks through a table: %s", step)
		}
		if strings.Contains(step, "TEMP B-TREE") {
			t.Errorf("sorts: %s", step)
		}
		if strings.Contains(step, "AUTOMATIC") {
			t.Errorf("builds an index while it runs: %s", step)
		}
	}
	for _, index := range want {
		if !slices.ContainsFunc(plan, func(step string) bool { return uses(step, index) }) {
			t.Errorf("does not use %s", index)
		}
	}
	if t.Failed() {
		t.Logf("plan:\n  %s", strings.Join(plan, "\n  "))
	}
}

// uses reports whether a step searches by an index, whose name must not be only the beginning of another one's.
func uses(step, index string) bool {
	return strings.HasPrefix(step, "SEARCH ") && strings.Contains(step+" ", index+" ")
}

// Constants returns the string constants of a Go source file by name, the statements of a package that keeps them in
// one file, so that a test can insist on a plan for each of them.
func Constants(t testing.TB, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	for _, decl := range parsed.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			values := spec.(*ast.ValueSpec)
			for i, name := range values.Names {
				literal, ok := values.Values[i].(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					t.Fatalf("%s: %s is not a string constant", file, name.Name)
				}
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				constants[name.Name] = value
			}
		}
	}
	return constants
}

// Schema returns the definition of each table, index and trigger, sorted by name, without those of the migrations' own
// bookkeeping.
func Schema(t testing.TB, db *sqlite.DB) []string {
	t.Helper()
	return text(t, db, 0, `SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema
		WHERE tbl_name NOT LIKE 'goose%' AND tbl_name NOT LIKE 'sqlite%' ORDER BY name`)
}

// text returns one column of a query's rows.
func text(t testing.TB, db *sqlite.DB, column int, query string, args ...any) []string {
	t.Helper()
	var lines []string
	err := db.Read(t.Context(), func(tx *sql.Tx) error {
		return sqlite.Each(t.Context(), tx, func(rows *sql.Rows) error {
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			values := make([]sql.RawBytes, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			err = rows.Scan(into...)
			lines = append(lines, string(values[column]))
			return err
		}, query, args...)
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return lines
}
