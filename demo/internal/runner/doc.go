// Package runner plays a scene: it builds the arms, sends all of them the same customers at the same times, lets the
// same things go wrong in each, watches, and hands what it saw to the judges.
//
// It treats arms alike. Each arrival starts one goroutine for each arm, and which arm comes first goes round with the
// number of the arrival; so does which one is sampled first.
package runner
