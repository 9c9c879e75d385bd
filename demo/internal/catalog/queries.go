package catalog

// All statements that read, each with a test of its plan. A partial index is only used by a query whose text holds its
// condition: status = 'on_sale' must not become a parameter.
const (
	performances = `
		SELECT p.performance_id, e.title, v.name, p.starts_at, p.currency,
			(SELECT min(t.price_minor) FROM price_tier AS t WHERE t.performance_id = p.performance_id)
		FROM performance AS p
		JOIN event AS e ON e.event_id = p.event_id
		JOIN venue AS v ON v.venue_id = p.venue_id
		WHERE p.status = 'on_sale' AND (p.starts_at, p.performance_id) > ($1, $2)
			AND EXISTS (SELECT 1 FROM price_tier AS t WHERE t.performance_id = p.performance_id)
		ORDER BY p.starts_at, p.performance_id
		LIMIT $3`

	performance = `
		SELECT p.performance_id, e.title, v.name, p.starts_at, p.status, p.currency
		FROM performance AS p
		JOIN event AS e ON e.event_id = p.event_id
		JOIN venue AS v ON v.venue_id = p.venue_id
		WHERE p.performance_id = $1`

	tiers = `
		SELECT name, price_minor FROM price_tier WHERE performance_id = $1 ORDER BY price_minor DESC, name`

	seats = `
		SELECT s.seat_id, sec.code, s.row_label, s.seat_no, t.price_minor
		FROM tier_section AS ts
		JOIN section AS sec ON sec.section_id = ts.section_id
		JOIN price_tier AS t ON t.tier_id = ts.tier_id
		JOIN seat AS s ON s.section_id = ts.section_id
		WHERE ts.performance_id = $1
		ORDER BY ts.section_id, s.row_label, s.seat_no`

	onSale = `
		SELECT s.seat_id
		FROM tier_section AS ts
		JOIN seat AS s ON s.section_id = ts.section_id
		WHERE ts.performance_id = $1
		ORDER BY ts.section_id, s.row_label, s.seat_no`
)
