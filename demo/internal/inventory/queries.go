package inventory

// All statements but the checker's, each with a test of its plan. A partial index is only used by a statement whose
// text holds its condition: state = 'held' must not become a parameter.
//
// An expired hold counts as none from the instant of its expiry on, wherever it is read, whether it has been swept or
// not.
const (
	putOnSale = `
		INSERT INTO sellable_seat (performance_id, seat_id)
		SELECT $1, value FROM json_each($2) WHERE true
		ON CONFLICT (performance_id, seat_id) DO NOTHING`

	isOnSale = `
		SELECT EXISTS (SELECT 1 FROM sellable_seat WHERE performance_id = $1)`

	seatMap = `
		SELECT seat_id, state FROM seat_claim
		WHERE performance_id = $1 AND (state <> 'held' OR expires_at > $2)
		ORDER BY seat_id`

	// A hold: the order's row first, whose key tells a repetition; then for each seat, in ascending order, the log of
	// an expired hold that stands there, the claim, and its own log.

	insertHold = `
		INSERT INTO hold (order_id, performance_id) VALUES ($1, $2) ON CONFLICT (order_id) DO NOTHING`

	logTakeover = `
		INSERT INTO hold_event (order_id, seat_id, kind, at)
		SELECT order_id, seat_id, 'expired', $3 FROM seat_claim
		WHERE performance_id = $1 AND seat_id = $2 AND state = 'held' AND expires_at <= $3`

	claim = `
		INSERT INTO seat_claim (performance_id, seat_id, order_id, state, expires_at) VALUES ($1, $2, $3, 'held', $4)
		ON CONFLICT (performance_id, seat_id) DO UPDATE
		SET order_id = excluded.order_id, state = 'held', expires_at = excluded.expires_at
		WHERE seat_claim.state = 'held' AND seat_claim.expires_at <= $5`

	logHeld = `
		INSERT INTO hold_event (order_id, seat_id, kind, at, expires_at) VALUES ($1, $2, 'held', $3, $4)`

	holdOf = `
		SELECT performance_id FROM hold WHERE order_id = $1`

	// The claims of an order are found by the order alone, which has only one performance. With the performance in the
	// condition SQLite would search the primary key for it, and walk through all of its claims.

	claims = `
		SELECT state, coalesce(expires_at, 0) FROM seat_claim WHERE order_id = $1`

	history = `
		SELECT seat_id, kind, coalesce(expires_at, 0) FROM hold_event WHERE order_id = $1 ORDER BY seat_id, kind`

	logRelease = `
		INSERT INTO hold_event (order_id, seat_id, kind, at)
		SELECT order_id, seat_id, 'released', $2 FROM seat_claim
		WHERE order_id = $1 AND (state = 'paying' OR state = 'held' AND expires_at > $2)`

	release = `
		DELETE FROM seat_claim
		WHERE order_id = $1 AND (state = 'paying' OR state = 'held' AND expires_at > $2)`

	logExpired = `
		INSERT INTO hold_event (order_id, seat_id, kind, at)
		SELECT order_id, seat_id, 'expired', $1 FROM seat_claim WHERE state = 'held' AND expires_at <= $1`

	expire = `
		DELETE FROM seat_claim WHERE state = 'held' AND expires_at <= $1`
)
