package httpx

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// ETag returns the strong entity tag of a body: a quoted hash of its bytes, 24 characters long. It is for what is sent as
// it is; where a layer further out changes the bytes, as compression does, use [WeakETag].
func ETag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// WeakETag makes an entity tag weak: it says that two bodies mean the same, not that they have the same bytes. Of what
// is weak already nothing changes. A weak tag answers If-None-Match, but neither If-Match nor If-Range (RFC 9110, section
// 8.8.3.2).
func WeakETag(tag string) string {
	if strings.HasPrefix(tag, "W/") {
		return tag
	}
	return "W/" + tag
}

// entityTag is one that is well-formed, in its two parts.
type entityTag struct {
	opaque string // with its quotes
	weak   bool
}

// cutTag reads an entity tag at the beginning of s (RFC 9110, section 8.8.3).
func cutTag(s string) (tag entityTag, rest string, ok bool) {
	tag.weak = strings.HasPrefix(s, "W/")
	if tag.weak {
		s = s[len("W/"):]
	}
	if s == "" || s[0] != '"' {
		return entityTag{}, "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			tag.opaque = s[:i+1]
			return tag, s[i+1:], true
		case c < 0x21 || c == 0x7f:
			return entityTag{}, "", false
		}
	}
	return entityTag{}, "", false
}

// parseTag reads a string that is one entity tag.
func parseTag(s string) (entityTag, bool) {
	tag, rest, ok := cutTag(s)
	return tag, ok && rest == ""
}

// tagList is what If-Match or If-None-Match says.
type tagList struct {
	tags []entityTag
	any  bool // it is *, and nothing else
	star bool // there is a * where a tag should be
}

// parseTags reads the lines of If-Match or If-None-Match. It goes on to the first thing that is no tag; what comes
// before that counts.
func parseTags(lines []string) (l tagList) {
	rest := strings.Join(lines, ",")
	l.any = strings.Trim(rest, " \t") == "*"
	for {
		rest = strings.TrimLeft(rest, " \t,") // a list may have empty elements (RFC 9110, section 5.6.1.2)
		if strings.HasPrefix(rest, "*") {
			l.star = true
			return l
		}
		tag, after, ok := cutTag(rest)
		after = strings.TrimLeft(after, " \t")
		if !ok || after != "" && after[0] != ',' {
			return l
		}
		l.tags = append(l.tags, tag)
		rest = after
	}
}

// strong reports whether the list has a tag by strong comparison: neither is weak, and the characters are the same.
func (l tagList) strong(tag entityTag) bool {
	for _, t := range l.tags {
		if !t.weak && !tag.weak && t.opaque == tag.opaque {
			return true
		}
	}
	return false
}

// weak reports whether the list has a tag by weak comparison: the characters are the same.
func (l tagList) weak(tag entityTag) bool {
	for _, t := range l.tags {
		if t.opaque == tag.opaque {
			return true
		}
	}
	return false
}
