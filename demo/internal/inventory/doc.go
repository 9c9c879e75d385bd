// Package inventory knows which seats of a performance are taken, and holds seats for orders. It has a SQLite database
// of its own, and speaks HTTP.
//
//	seats, err := inventory.Open(ctx, filepath.Join(dir, "inventory.db"), inventory.Config{})
//	err = seats.PutOnSale(ctx, announced.Performance, announced.Seats)
//	handler := inventory.NewHandler(seats, gate.New("inventory", gate.Config{Draws: draw.New(seed)}))
//
// A double sale is impossible by a primary key: a claimed seat is a row of seat_claim, whose key is the performance and
// the seat. A hold takes all its seats or none, in one transaction, and ends by itself: a seat whose hold has expired
// can be claimed by the next order at once, and a sweeper removes the rows of the others four times a second. What
// happened to each held seat stands in an append-only log beside the claims, for a checker that does not trust this
// package ([Store.Audit]).
//
// Both arms of the demo run this code as it is. It knows no limit, no breaker and no retry.
package inventory
