package httpx

import "github.com/seawall-go/seawall"

// Lint returns what hurts in the configuration in force, such as a total limit that no second attempt fits into, by the
// rules of [seawall.Pipeline.Lint]; nil if nothing is found. It is for a test or the start of a program.
func (t *Transport) Lint() []seawall.Finding { return t.Chain().Current().Lint() }
