package gateway

import "github.com/seawall-go/seawall/httpx"

// strain is how the inventory service does, as the gateway sees it.
type strain struct {
	transport *httpx.Transport

	asked, served int64 // by the reading before
}

// fewCalls are too few to tell by: one failure among them would be most of them.
const fewCalls = 20

// read returns which share of the calls since the last reading was not served, because it failed, or because the service
// or a policy of ours refused it.
func (s *strain) read() float64 {
	var asked, served int64
	for _, b := range s.transport.Breakers() {
		n := b.Stats().Totals
		served += n.Calls.Successes
		asked += n.Calls.Successes + n.Calls.Failures + n.Overloads + n.Rejected.Total()
	}
	of, good := asked-s.asked, served-s.served
	s.asked, s.served = asked, served
	if of < fewCalls {
		return 0
	}
	return float64(of-good) / float64(of)
}
