package catalog_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seawall-go/seawall/demo/internal/catalog"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

func ExampleOpen() {
	ctx := context.Background()
	shows, err := catalog.Open(ctx, sqlite.Memory)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shows.Close()
	_, err = shows.Performance(ctx, 99)
	fmt.Println(errors.Is(err, catalog.ErrNotFound), err)
	// Output: true catalog: performance 99: no such performance
}

func ExampleCatalog_Performances() {
	ctx := context.Background()
	shows, err := catalog.Open(ctx, sqlite.Memory)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shows.Close()
	if err := shows.Seed(ctx, catalog.SeedConfig{}); err != nil {
		fmt.Println(err)
		return
	}
	page, err := shows.Performances(ctx, catalog.Cursor{}, 2)
	for _, p := range page {
		fmt.Printf("%s, %s, from %.2f %s\n", p.Title, p.Venue, float64(p.MinPriceMinor)/100, p.Currency)
	}
	fmt.Println(err)
	// Output:
	// The Tide Tables, Harbour Hall, from 35.00 EUR
	// Low Water, The Breakwater, from 40.00 EUR
	// <nil>
}

func ExampleCatalog_Seats() {
	ctx := context.Background()
	shows, err := catalog.Open(ctx, sqlite.Memory)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shows.Close()
	if err := shows.Seed(ctx, catalog.SeedConfig{}); err != nil {
		fmt.Println(err)
		return
	}
	seats, err := shows.Seats(ctx, 1)
	fmt.Println(len(seats), seats[0], err)
	// Output: 2000 {1 A A 1 9500} <nil>
}

func ExampleCatalog_OnSale() {
	ctx := context.Background()
	shows, err := catalog.Open(ctx, sqlite.Memory)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shows.Close()
	if err := shows.Seed(ctx, catalog.SeedConfig{Sections: 1, Rows: 1, SeatsPerRow: 3}); err != nil {
		fmt.Println(err)
		return
	}
	announced, err := shows.OnSale(ctx, 2)
	fmt.Println(announced.Seats, err)
	// Output: [4 5 6] <nil>
}
