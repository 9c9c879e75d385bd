package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// Write runs work in a transaction that holds the database's write lock from its beginning. It commits if work returns
// nil, and returns the commit's error; it rolls back and returns work's error if there is one, and also rolls back if
// work panics or if ctx ends. Writers wait for each other, in no particular order, until ctx ends.
//
// What work reads is the newest state, and nobody else changes it before the commit. Work must not keep tx, and must
// not call Read or Write of the same database.
func (db *DB) Write(ctx context.Context, work func(tx *sql.Tx) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it only says that the transaction is over
	if err := work(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Read runs work in a transaction that sees one state of the database, that of its first statement, whatever is written
// meanwhile. Statements that write fail in a file, and are rolled back in memory. Read waits for a free connection
// until ctx ends, and returns work's error.
func (db *DB) Read(ctx context.Context, work func(tx *sql.Tx) error) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // there is nothing to lose
	return work(tx)
}

// Each runs a query and calls scan for each of its rows, which scan reads and does not keep. It returns the first
// error, be it the query's, scan's, or that of a result that ended too early.
func Each(ctx context.Context, tx *sql.Tx, scan func(*sql.Rows) error, query string, args ...any) (err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
