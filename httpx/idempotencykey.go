package httpx

import (
	"net/http"
	"strings"

	"github.com/dunglas/httpsfv"
)

// maxKey is how long an idempotency key may be, in bytes. Stripe takes as much; a UUID has 36.
const maxKey = 255

// What is wrong with a key, in the words that go to the client behind the name of the field.
const (
	keyMissing  = "missing"
	keyRepeated = "sent more than once"
	keyLength   = "want 1 to 255 characters"
	keyForm     = `want a quoted string, or visible ASCII without " , ; and \`
	keyTooLarge = "the body is too large for a request with a key"
	keyUnread   = "the body could not be read"
	keyAtWork   = "the first request with this key is still at work"
	keyReused   = "used before for a different request"
)

// parseKey reads the Idempotency-Key of a request: a String of structured fields (RFC 9651, section 3.3.3), whose
// parameters mean nothing to us, or the bare form that many clients send. "k" and k are one key. It returns the key, or
// else what is wrong.
func parseKey(values []string) (key, problem string) {
	if len(values) != 1 {
		return "", keyRepeated
	}
	key = strings.Trim(values[0], " \t")
	if strings.HasPrefix(key, `"`) {
		item, err := httpsfv.UnmarshalItem([]string{key})
		if err != nil {
			return "", keyForm
		}
		key, _ = item.Value.(string) // what begins with a quote is nothing else
	} else if strings.ContainsFunc(key, notBare) {
		return "", keyForm
	}
	if key == "" || len(key) > maxKey {
		return "", keyLength
	}
	return key, ""
}

func notBare(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`",;\`, c) }

// unsafeMethod reports whether a request asks for more than to be read (RFC 9110, section 9.2.1). CONNECT is none that
// has an answer to keep.
func unsafeMethod(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return false
	}
	return true
}
