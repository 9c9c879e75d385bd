package cache

import (
	"context"
	"slices"
	"time"
)

// About is an option for one value that is loaded or put: [TTL], [Tags] and the others set how long it lives and what it
// belongs to.
type About func(*about)

// TTL says how long the value lives, instead of Config.TTL: more than 0, and at most Config.MaxTTL, which it is cut to.
func TTL(d time.Duration) About { return func(a *about) { a.ttl = d } }

// Tags says what the value belongs to, so that [Cache.ExpireTags] and [Cache.RemoveTags] find it. A call adds to those
// of earlier ones.
func Tags(tags ...string) About { return func(a *about) { a.tags = append(a.tags, tags...) } }

// Validator says what the next load may ask the source with whether the value has changed, such as an ETag.
func Validator(v string) About { return func(a *about) { a.validator = v } }

// loading is the load that a context belongs to.
type loading struct {
	cache any // the *Cache
	key   any // the key, or nil for a load of many
	outer *loading
	known string // validator of the copy
	many  func(key any) bool

	about about
	each  map[any]*about
}

type loadingKey struct{}

func loadingOf(ctx context.Context) *loading {
	l, _ := ctx.Value(loadingKey{}).(*loading)
	return l
}

// loads reports whether ctx is that of a load of the key, at any depth.
func loads(ctx context.Context, cache any, key any) bool {
	for l := loadingOf(ctx); l != nil; l = l.outer {
		if l.cache == cache && (l.many != nil && l.many(key) || l.many == nil && l.key == key) {
			return true
		}
	}
	return false
}

// Describe says, inside of a load and on its goroutine, what its value is like; of a load of many keys, what all values
// are like. Outside of a load it does nothing.
func Describe(ctx context.Context, what ...About) {
	if l := loadingOf(ctx); l != nil {
		for _, say := range what {
			say(&l.about)
		}
	}
}

// DescribeKey says, inside of a load of many keys and on its goroutine, what the value of one key is like, beside what
// [Describe] says of all. It does nothing for a key that is not loaded.
func DescribeKey[K comparable](ctx context.Context, key K, what ...About) {
	l := loadingOf(ctx)
	switch {
	case l == nil:
		return
	case l.many == nil:
		if l.key == any(key) {
			Describe(ctx, what...)
		}
		return
	}
	a, ok := l.each[key]
	if !ok {
		a = &about{}
		l.each[key] = a
	}
	for _, say := range what {
		say(a)
	}
}

// of returns what was said of a key.
func (l *loading) of(key any) about {
	a := l.about
	a.tags = slices.Clone(a.tags)
	if own, ok := l.each[key]; ok {
		a.tags = append(a.tags, own.tags...)
		if own.ttl > 0 {
			a.ttl = own.ttl
		}
		if own.validator != "" {
			a.validator = own.validator
		}
	}
	return a
}

// ValidatorOf returns, inside of a load of one key, what an earlier load has said by [Validator]; empty if there is no
// copy, or none with one. If the source says that nothing has changed, the load returns [NotModified].
func ValidatorOf(ctx context.Context) string {
	if l := loadingOf(ctx); l != nil {
		return l.known
	}
	return ""
}
