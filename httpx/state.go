package httpx

// state is how far an attempt has come, in one word: whatever may end the attempt does so by one atomic step, and the first
// one counts. The zero state is that of an attempt that waits for its headers.
type state uint32

const (
	opened   state = 1 << iota // the headers are there
	upgraded                   // the connection has changed to another protocol
	begun                      // the first byte of the body was read
	reading                    // somebody waits for the body
	draining                   // the response is not returned
	attached                   // to the caller's context, for the body's sake
	onList                     // among the open bodies
	deserted                   // the body was given up: nobody reads it any more
	whole                      // the body was read to its end
	shut                       // the body is closed, or whoever has set this is about to do so
	released                   // the attempt is over
	endedBy                    // times the limitKind that has ended it
)

// limitKind says which limit ends an attempt, or what else of ours.
type limitKind uint8

const (
	noLimit limitKind = iota
	totalLimit
	attemptLimit
	idleLimit
	discarded // the time that a response has which is not returned
	lost      // a race
)

// by returns what of ours has ended the attempt.
func (st state) by() limitKind { return limitKind(st / endedBy) }

// live reports whether the attempt can still be ended.
func (st state) live() bool { return st < released }

func (s *scope) state() state { return state(s.word.Load()) }

// turn changes the state from old to new, and returns false if it is not old any more.
func (s *scope) turn(old, new state) bool { return s.word.CompareAndSwap(uint32(old), uint32(new)) }

// set adds to the state, and returns what it was.
func (s *scope) set(st state) (old state) { return state(s.word.Or(uint32(st))) }

// unset takes from the state, and returns what it was.
func (s *scope) unset(st state) (old state) { return state(s.word.And(^uint32(st))) }
