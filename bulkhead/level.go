package bulkhead

import (
	"context"

	"github.com/seawall-go/seawall"
)

// level is a [seawall.Priority] as an index, the least important first.
type level int

const (
	levels   = 4
	critical = level(seawall.Critical - seawall.Sheddable)
)

func levelOf(ctx context.Context) level { return level(seawall.PriorityOf(ctx) - seawall.Sheddable) }

func (l level) priority() seawall.Priority { return seawall.Priority(l) + seawall.Sheddable }
func (l level) bit() uint32                { return 1 << l }
