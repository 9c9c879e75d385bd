package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
)

// Memory is the path of a database that lives in memory, and only as long as its DB is open.
//
// It has one connection for readers and writers together, because SQLite's ways of sharing a database in memory are not
// the file's ways: a shared cache locks whole tables and answers SQLITE_LOCKED past the busy handler, and the memdb
// file system has no write-ahead log, so that a reader stops a commit. With one connection the wait is for the pool,
// which a testing/synctest bubble understands. What is different from a file: a call to Read or Write inside another
// one never ends, and readers wait for writers.
const Memory = ":memory:"

// readers is the number of connections that read at the same time. A demo with two arms has two cores: more connections
// would only wait for them, and each one has a page cache of 2 MB.
const readers = 4

// DB is an open database: one connection that writes and a few that only read. It is safe for concurrent use. Use
// [Open]; the zero value is not usable.
type DB struct {
	writer, reader *sql.DB // the same pool in memory
}

// Open opens the database at path, a file that is created if it is missing or [Memory], and migrates it up to the
// newest of the migrations: goose's SQL files in the root of the file system. The directory of the file must exist.
//
// The caller closes the DB. Open blocks until the database is ready, and returns an error that names the path if it
// cannot be opened or migrated, or if ctx ends first; nothing is left open then.
func Open(ctx context.Context, path string, migrations fs.FS) (*DB, error) {
	db, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %q: %w", path, err)
	}
	if err := db.Migrate(ctx, migrations, Latest); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %q: %w", path, err), db.Close())
	}
	if err := db.reader.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %q: %w", path, err), db.Close())
	}
	return db, nil
}

func open(path string) (*DB, error) {
	if path == "" {
		return nil, errors.New("no path") // which SQLite would take for a temporary file
	}
	writer, err := pool(dsn(path, "_txlock=immediate"), 1)
	if err != nil {
		return nil, err
	}
	if path == Memory {
		return &DB{writer: writer, reader: writer}, nil
	}
	reader, err := pool(dsn(path, "_query_only=on"), readers)
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return &DB{writer: writer, reader: reader}, nil
}

// dsn returns the data source name of a path. A file's name may hold the characters that mean something in a URI.
func dsn(path, mode string) string {
	name := Memory
	if path != Memory {
		name = (&url.URL{Path: path}).EscapedPath()
	}
	return "file:" + name + "?_busy_timeout=5000&_foreign_keys=on&_journal_mode=WAL&_synchronous=NORMAL&" + mode
}

// pool opens a pool whose connections stay open: a new one would cost its PRAGMAs, and the last one of a database in
// memory takes the data along.
func pool(dsn string, connections int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Close closes all connections and ends the pools' goroutines. A connection that is in use closes when its transaction
// ends; Read and Write return an error from now on. A second Close does nothing.
func (db *DB) Close() error {
	return errors.Join(db.reader.Close(), db.writer.Close())
}

// PingContext asks the database for a sign of life.
func (db *DB) PingContext(ctx context.Context) error { return db.reader.PingContext(ctx) }
