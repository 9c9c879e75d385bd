package seawall_test

import (
	"testing"

	"github.com/seawall-go/seawall"
)

func TestUserIsUnknownUnlessSet(t *testing.T) {
	if user, ok := seawall.UserOf(t.Context()); ok || user != "" {
		t.Errorf("a bare context has user %q, %t", user, ok)
	}
	ctx := seawall.WithUser(seawall.WithUser(t.Context(), "ann"), "bob")
	if user, ok := seawall.UserOf(ctx); !ok || user != "bob" {
		t.Errorf("user %q, %t, want the innermost", user, ok)
	}
}
