// Package catalog knows what is played, where, when and at what price: venues with their sections and seats, events
// with their performances, and the price of each section. It has a SQLite database of its own.
//
//	shows, err := catalog.Open(ctx, filepath.Join(dir, "catalog.db"))
//	err = shows.Seed(ctx, catalog.SeedConfig{})
//	page, err := shows.Performances(ctx, catalog.Cursor{StartsAtMS: time.Now().UnixMilli()}, 20)
//
// It does not know which seats are taken: that is the inventory's, which copies the seats of a performance
// ([Catalog.OnSale]) when it goes on sale. All times are UTC milliseconds, and all prices are in the minor unit of the
// performance's currency.
package catalog
