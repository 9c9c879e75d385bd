package sqlite

import (
	"errors"

	"modernc.org/sqlite" // and the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// IsForeignKey reports whether err is, or wraps, SQLite's refusal of a row that refers to one that does not exist, or
// of a change that would leave such a row.
func IsForeignKey(err error) bool {
	refused, ok := errors.AsType[*sqlite.Error](err)
	return ok && refused.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}
