// Package health says whether a program can serve: to its orchestrator, to its load balancer, and to people.
//
//	h := health.New("box-office", health.Config{})
//	err := h.Add(
//		health.Check{Name: "database", Run: health.SQL(db)},                                // shared: a warning
//		health.Check{Name: "disk", Scope: health.Local, Run: health.Disk("/data", 1<<30)}, // local: not ready
//	)
//	h.Start()
//	defer h.Stop(context.Background())
//	http.Handle("/readyz", h.Handler())
//
// Checks run in the background only. The handlers write bytes that were rendered when something changed: a probe takes no
// lock, runs no check and waits for nothing, so a thousand probes a second change nothing, and a check that hangs fails
// no probe.
//
// # Ready or not
//
// Readiness asks whether another instance could do better than this one. A database that is down for this instance is
// down for its peers: taking all of them out turns degraded pages into none. So what a failed check means depends on its
// [Scope] and [Severity]:
//
//	         critical                             optional
//	local    fail: 503                            warn: 200
//	shared   warn: 200, unless FailReadiness      warn: 200
//
// The gates of the registry are read as well: an open breaker, a bulkhead that stays full, a cache that serves stale
// answers are warnings. None of them makes an instance not ready, unless [Config.FailWhenFull] names it: when all are full,
// all are useful.
//
// # The three questions
//
//	/livez      can this process serve its handler? No dependency is asked, ever: a restart cures no database. A
//	            [Watchdog] that is overdue makes it 503.
//	/readyz     should traffic come here? 503 while starting, draining or failing.
//	/startupz   has the start finished? 503 until each critical check has passed once.
package health
