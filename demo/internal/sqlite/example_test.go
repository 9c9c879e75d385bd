package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing/fstest"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

func ExampleOpen() {
	ctx := context.Background()
	migrations := fstest.MapFS{"00001_show.sql": {Data: []byte(
		"-- +goose Up\nCREATE TABLE show (id INTEGER PRIMARY KEY, title TEXT NOT NULL) STRICT;\n" +
			"-- +goose Down\nDROP TABLE show;\n",
	)}}
	db, err := sqlite.Open(ctx, sqlite.Memory, migrations)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	err = db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO show (title) VALUES ($1)", "The Tide")
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var title string
	err = db.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT title FROM show WHERE id = $1", 1).Scan(&title)
	})
	fmt.Println(title, err)
	// Output: The Tide <nil>
}

func ExampleDB_Migrate() {
	ctx := context.Background()
	migrations := fstest.MapFS{"00001_show.sql": {Data: []byte(
		"-- +goose Up\nCREATE TABLE show (id INTEGER PRIMARY KEY) STRICT;\n-- +goose Down\nDROP TABLE show;\n",
	)}}
	db, err := sqlite.Open(ctx, sqlite.Memory, migrations)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	fmt.Println(db.Migrate(ctx, migrations, 0), db.Migrate(ctx, migrations, sqlite.Latest))
	// Output: <nil> <nil>
}
