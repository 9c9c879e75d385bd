package gate

// Stats is a gate at one moment. Every request is in exactly one of InService, Waiting, Served and Abandoned.
type Stats struct {
	// Workers is how many workers are in use, by the configuration and the fault.
	Workers int
	// InService is how many workers are busy. It is above Workers for a while after a fault has taken some away.
	InService int
	// Waiting is the length of the queue.
	Waiting int
	// Served counts the requests whose service is over, however their work ended.
	Served uint64
	// Abandoned counts the requests whose context ended before their work began.
	Abandoned uint64
	// Short counts the services whose real work took longer than the time that had been drawn for them. Where they are
	// more than a few, the machine and not the model sets the capacity.
	Short uint64
}

// Stats returns the gate's state. The counts belong to one moment, except for Short, which may be ahead by those that
// are just ending.
func (g *Gate) Stats() Stats {
	s := Stats{Workers: g.workers(), Short: g.short.Load()}
	g.queue.mu.Lock()
	defer g.queue.mu.Unlock()
	s.InService, s.Waiting = g.queue.busy, g.queue.line.Len()
	s.Served, s.Abandoned = g.queue.served, g.queue.abandoned
	return s
}
