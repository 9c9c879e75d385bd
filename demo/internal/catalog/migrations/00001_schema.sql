-- The catalogue in third normal form. An index has a query that it serves; what needs none has none: nobody deletes an
-- event or a venue, so the foreign keys to them are not indexed.

-- +goose Up
CREATE TABLE venue (
	venue_id INTEGER PRIMARY KEY,
	name     TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200)
) STRICT;

CREATE TABLE section (
	section_id INTEGER PRIMARY KEY,
	venue_id   INTEGER NOT NULL REFERENCES venue,
	code       TEXT NOT NULL CHECK (length(code) BETWEEN 1 AND 20),
	UNIQUE (venue_id, code)
) STRICT;

-- The unique key is also the index of all seats of a section, in the order in which they stand.
CREATE TABLE seat (
	seat_id    INTEGER PRIMARY KEY,
	section_id INTEGER NOT NULL REFERENCES section,
	row_label  TEXT NOT NULL CHECK (length(row_label) BETWEEN 1 AND 10),
	seat_no    INTEGER NOT NULL CHECK (seat_no >= 1),
	UNIQUE (section_id, row_label, seat_no)
) STRICT;

CREATE TABLE event (
	event_id INTEGER PRIMARY KEY,
	title    TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 200)
) STRICT;

-- starts_at is in UTC milliseconds.
CREATE TABLE performance (
	performance_id INTEGER PRIMARY KEY,
	event_id       INTEGER NOT NULL REFERENCES event,
	venue_id       INTEGER NOT NULL REFERENCES venue,
	starts_at      INTEGER NOT NULL CHECK (starts_at > 0),
	status         TEXT NOT NULL CHECK (status IN ('announced', 'on_sale', 'closed')),
	currency       TEXT NOT NULL CHECK (length(currency) = 3 AND currency = upper(currency))
) STRICT;

-- serves: performances, the page of upcoming ones. It ends in performance_id, the table's rowid.
CREATE INDEX ix_performance_on_sale ON performance (starts_at) WHERE status = 'on_sale';

-- price_minor is in the minor unit of the performance's currency. UNIQUE (tier_id, performance_id) is what a section's
-- price refers to, so that it cannot be the price of another performance.
CREATE TABLE price_tier (
	tier_id        INTEGER PRIMARY KEY,
	performance_id INTEGER NOT NULL REFERENCES performance,
	name           TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
	price_minor    INTEGER NOT NULL CHECK (price_minor >= 0),
	UNIQUE (performance_id, name),
	UNIQUE (tier_id, performance_id)
) STRICT;

-- serves: performances (the lowest price) and tiers (in the order of the prices).
CREATE INDEX ix_price_tier_price ON price_tier (performance_id, price_minor DESC, name);

-- The primary key serves seats and onSale.
CREATE TABLE tier_section (
	performance_id INTEGER NOT NULL,
	section_id     INTEGER NOT NULL REFERENCES section,
	tier_id        INTEGER NOT NULL,
	PRIMARY KEY (performance_id, section_id),
	FOREIGN KEY (tier_id, performance_id) REFERENCES price_tier (tier_id, performance_id)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE tier_section;
DROP TABLE price_tier;
DROP TABLE performance;
DROP TABLE event;
DROP TABLE seat;
DROP TABLE section;
DROP TABLE venue;
