// Package permitcopy copies permits: go vet must say so, and must not about what is right.
package permitcopy

import (
	"context"

	"github.com/seawall-go/seawall"
)

func right(ctx context.Context, g seawall.Gate) (seawall.Permit, error) {
	permit, err := g.Acquire(ctx)
	if err != nil {
		return seawall.Permit{}, err
	}
	held := &permit
	held.Done(nil)
	return g.Acquire(ctx)
}

func wrong(permit *seawall.Permit) {
	second := *permit // wanted
	second.Done(nil)
}

func byValue(permit seawall.Permit) { // wanted
	permit.Done(nil)
}

var _, _, _ = right, wrong, byValue
