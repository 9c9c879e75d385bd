// Package sqlite opens the box office's databases: one SQLite file for each module of each arm, in pure Go.
//
//	db, err := sqlite.Open(ctx, filepath.Join(dir, "inventory.db"), migrations)
//	defer db.Close()
//	err = db.Write(ctx, func(tx *sql.Tx) error { ... })
//
// Everything that SQLite forgets when a connection closes stands in the data source name, so that no connection of a
// pool can miss it: foreign keys on, a busy timeout of 5 s, synchronous = NORMAL, which with a write-ahead log loses no
// consistency and at most the last commits when the power fails.
//
// Writers take turns on one connection, and begin with BEGIN IMMEDIATE. A deferred transaction that reads first and
// writes later gets SQLITE_BUSY past the busy handler as soon as somebody else has written in between.
package sqlite
