-- The inventory in third normal form. A seat without a row in seat_claim is available: that is not stored twice.

-- +goose Up

-- What may be sold, copied from the catalogue's announcement: the capacity.
CREATE TABLE sellable_seat (
	performance_id INTEGER NOT NULL CHECK (performance_id >= 1),
	seat_id        INTEGER NOT NULL CHECK (seat_id >= 1),
	PRIMARY KEY (performance_id, seat_id)
) STRICT, WITHOUT ROWID;

-- One order, one performance, once: the row stays when the claims are gone, so that an order never claims again.
CREATE TABLE hold (
	order_id       TEXT NOT NULL PRIMARY KEY CHECK (length(order_id) BETWEEN 1 AND 64),
	performance_id INTEGER NOT NULL,
	UNIQUE (order_id, performance_id)
) STRICT, WITHOUT ROWID;

-- The primary key is the guard against a double sale, and serves seatMap. Times are UTC milliseconds.
CREATE TABLE seat_claim (
	performance_id INTEGER NOT NULL,
	seat_id        INTEGER NOT NULL,
	order_id       TEXT NOT NULL,
	state          TEXT NOT NULL CHECK (state IN ('held', 'paying', 'sold')),
	expires_at     INTEGER,
	PRIMARY KEY (performance_id, seat_id),
	FOREIGN KEY (performance_id, seat_id) REFERENCES sellable_seat (performance_id, seat_id),
	FOREIGN KEY (order_id, performance_id) REFERENCES hold (order_id, performance_id),
	CHECK ((state = 'held') = (expires_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- serves: expire and logExpired
CREATE INDEX ix_seat_claim_expiry ON seat_claim (expires_at) WHERE state = 'held';

-- serves: claims, release and logRelease, by its first column, and the foreign key to hold
CREATE INDEX ix_seat_claim_order ON seat_claim (order_id, performance_id);

-- What happened to each held seat, in the order of the commits: the beginning and at most one of each end. It is written
-- in the transaction of the change. The unique key serves history.
CREATE TABLE hold_event (
	seq        INTEGER PRIMARY KEY,
	order_id   TEXT NOT NULL REFERENCES hold,
	seat_id    INTEGER NOT NULL,
	kind       TEXT NOT NULL CHECK (kind IN ('held', 'expired', 'released')),
	at         INTEGER NOT NULL,
	expires_at INTEGER,
	UNIQUE (order_id, seat_id, kind),
	CHECK ((kind = 'held') = (expires_at IS NOT NULL))
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER hold_event_is_not_changed BEFORE UPDATE ON hold_event
BEGIN
	SELECT raise(ABORT, 'hold_event is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER hold_event_is_not_deleted BEFORE DELETE ON hold_event
BEGIN
	SELECT raise(ABORT, 'hold_event is append-only');
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE hold_event;
DROP TABLE seat_claim;
DROP TABLE hold;
DROP TABLE sellable_seat;
