// Package debugpage shows what the policies of a program are doing, on one page for the program's own people.
//
//	page := debugpage.New(debugpage.Config{
//		Health: h,
//		Chains: map[string]seawall.Policy{"payments": payments},
//	})
//	defer page.Close()
//	admin.Handle("/debug/seawall/", page)
//
// The page needs no JavaScript, and ?format=json gives the same facts to programs. It belongs on a listener for the
// program's own people: it shows names, configurations and the texts of errors. It registers itself nowhere.
//
// A family of policies by key, as the clients of httpx and grpcx have of breakers and bulkheads, is out of order if one
// of its keys is. Each key has a page of its own, also those that are not among the 32 that are listed.
//
// Nothing can be changed by the page unless [Config.Authorize] is set. Then gates can be forced open or closed, put into
// shadow mode, switched off and back, by POST and with a token of the form; each change is logged as seawall.gate.forced,
// with who did it. That of a family is its keys', and theirs can be changed one by one after it. To reset a mode is to
// enforce: of a family, for all keys. There is no reset of a breaker's window or state: what is open recovers by its probes,
// and forced_closed lets calls through before.
package debugpage
