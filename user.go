package seawall

import "context"

type userKey struct{}

// WithUser returns a context whose calls are made for the user: a customer, a session, a tenant. Gates that cannot serve
// all calls of a priority decide by user, so that a task of several calls is served whole or not at all. The value is
// only hashed; it is in no log, metric or error.
func WithUser(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, userKey{}, user)
}

// UserOf returns the user for whom the calls of ctx are made, and false if it is not known.
func UserOf(ctx context.Context) (user string, ok bool) {
	user, ok = ctx.Value(userKey{}).(string)
	return user, ok
}
