package httpx

import (
	"encoding/binary"
	"encoding/hex"
	"net/http"

	"github.com/seawall-go/seawall/internal/dice"
)

// newKey returns a random idempotency key of 128 bits for a request that needs one, or none.
func (s *settings) newKey(req *http.Request) string {
	if s.Keys == NoKeys || req.Method != http.MethodPost && req.Method != http.MethodPatch || s.hasKey(req) {
		return ""
	}
	var random [16]byte
	binary.NativeEndian.PutUint64(random[:8], dice.Uint64())
	binary.NativeEndian.PutUint64(random[8:], dice.Uint64())
	key := hex.EncodeToString(random[:])
	if s.Keys == QuotedKeys {
		return `"` + key + `"`
	}
	return key
}

// hasKey reports whether the caller has given a request a key. An empty field is none.
func (s *settings) hasKey(req *http.Request) bool {
	for _, v := range values(req.Header, s.Fields.IdempotencyKey) {
		if v != "" && v != `""` {
			return true
		}
	}
	return false
}
