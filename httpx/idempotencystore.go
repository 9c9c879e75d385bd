package httpx

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"
)

// IdempotencyStore keeps what has become of idempotency keys, for [Idempotency]. [MemoryStore] is one; package storetest
// has the tests that every other one must pass.
//
// An entry is in one of three states: there is none, it is running under a lease, or it is done with an answer. Each of
// the three methods is one atomic step: of many processes that begin the same entry at the same time, one gets it. What
// is done stays so until its time is over; an entry whose lease has run out counts as if there was none.
//
// The methods return when their context ends, and are safe for concurrent use. One that goes on holds a goroutine, and no
// request: what a Begin claims then is released again, without a handler. What a store is given and what it gives belongs
// to both from then on: neither changes it any more.
type IdempotencyStore interface {
	// Begin claims an entry for as long as the lease lasts. In the Claim it says what it found: [ClaimNew] if the lease is
	// the caller's now, [ClaimRunning] if another one holds it, [ClaimDone] with the answer, or [ClaimConflict] if the
	// entry, running or done, was begun with another fingerprint. On an error nothing was claimed, or at the worst an
	// entry that nobody works at is locked until its lease runs out.
	Begin(ctx context.Context, lease Lease) (Claim, error)
	// Finish makes the answer that of the entry, for as long as keep says. It returns [ErrLeaseLost], and changes nothing,
	// if the entry is not running under the token of this lease. A lease that has run out and that nobody has taken over
	// may be finished or lost, as the store likes.
	Finish(ctx context.Context, lease Lease, answer StoredAnswer, keep time.Duration) error
	// Release removes the entry, so that the next one to begin it gets it. It does nothing if the entry is not running
	// under the token of this lease.
	Release(ctx context.Context, lease Lease) error
}

// ErrLeaseLost is what [IdempotencyStore.Finish] returns to an owner that comes too late: its lease has run out, and
// another one may have begun the entry, or even finished it.
var ErrLeaseLost = errors.New("httpx: the lease of the idempotency key is lost")

// IdempotencyEntry is what an idempotency key belongs to: the same key of another tenant, or for another route, is
// another entry. It is comparable.
type IdempotencyEntry struct {
	Tenant string // what [IdempotencyConfig.Tenant] says
	Method string
	Route  string // what [IdempotencyConfig.Route] says
	Key    string // as it was meant: without the quotes
}

// Digest returns 32 bytes that stand for the entry, the SHA-256 of its four parts and their lengths, for stores that want
// a key of fixed size, or want to keep what clients send out of their tables.
func (e IdempotencyEntry) Digest() [sha256.Size]byte {
	return digest([]byte(e.Tenant), []byte(e.Method), []byte(e.Route), []byte(e.Key))
}

// Lease is one attempt to own an entry.
type Lease struct {
	Entry       IdempotencyEntry
	Fingerprint Fingerprint
	// Token is the owner's: 32 hexadecimal digits that are new for each request.
	Token string
	// For is how long the entry is the owner's, from Begin on. When that is over, others may begin it.
	For time.Duration
}

// Claim is what [IdempotencyStore.Begin] found.
type Claim struct {
	State  ClaimState
	Answer StoredAnswer // of ClaimDone
}

// ClaimState says what was found under an idempotency key.
type ClaimState uint8

// The states; the zero value is none of them, so that a store that forgets to say so does not run a handler.
const (
	ClaimNew      ClaimState = iota + 1 // nothing, or a lease that has run out: the lease is the caller's now
	ClaimRunning                        // another owner's lease
	ClaimDone                           // an answer
	ClaimConflict                       // an entry that was begun with another fingerprint
)

var claimNames = [...]string{"", "new", "running", "done", "conflict"}

// String returns such as "running".
func (s ClaimState) String() string {
	if int(s) < len(claimNames) {
		return claimNames[s]
	}
	return "invalid"
}

// StoredAnswer is the answer that a key has got. It has tags for stores that write it as JSON.
type StoredAnswer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"` // what the handler has set, without what concerns one connection only
	Body   []byte      `json:"body,omitempty"`
	// Dropped says that the body is not there: it was too large to be kept, or was not sent whole.
	Dropped bool `json:"dropped,omitempty"`
}
