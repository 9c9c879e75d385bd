package hop_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall/internal/hop"
)

func TestNoteIsFoundFromWhatIsDerivedAndByTheNextAboveOnly(t *testing.T) {
	type key struct{}
	hop.NoteUsedUp(t.Context()) // for nobody
	outer := &hop.Repeating{Context: context.WithValue(t.Context(), key{}, 7)}
	inner := &hop.Repeating{Context: outer}
	ctx, cancel := context.WithCancel(inner)
	if got := ctx.Value(key{}); got != 7 {
		t.Errorf("the value outside is %v", got)
	}
	if inner.UsedUp() {
		t.Error("noted by nobody")
	}
	hop.NoteUsedUp(ctx)
	if !inner.UsedUp() || outer.UsedUp() {
		t.Errorf("inside: %t, outside: %t", inner.UsedUp(), outer.UsedUp())
	}
	cancel()
	if inner.Err() != nil || ctx.Err() == nil {
		t.Errorf("%v, %v", inner.Err(), ctx.Err())
	}
}
