package fault

import "time"

// Off reports whether the point is in the state that costs one atomic load and nothing else.
func (p *Point) Off() bool { return p.load() == nil }

// TimerLeft reports whether a timer of the injector was pending. It stops it.
func (i *Injector) TimerLeft() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.timer != nil && i.timer.Stop()
}

// Hold keeps every change of the injector waiting until release is called, as a busy machine would.
func (i *Injector) Hold() (release func()) {
	i.mu.Lock()
	return i.mu.Unlock
}

// Draw is the n-th number of the SplitMix64 generator that starts from stream.
func Draw(stream, n uint64) uint64 { return draw(stream, n) }

// Hit reports whether a drawn number is a hit at a rate.
func Hit(drawn uint64, rate float64) bool { return hits(drawn, thresholdOf(rate)) }

// Multiply is how long a call takes that would have taken d.
func Multiply(d time.Duration, by float64) time.Duration { return multiply(d, by) }

// Lateness is the time of a latency that a drawn number stands for.
func (f Fault) Lateness(drawn uint64) time.Duration { return f.lateness(drawn) }

// Conns is how many connections the point holds.
func (p *Point) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Kinds returns the kinds that are known.
func Kinds() []Kind { return kinds() }

// Seams returns where a kind acts.
func (k Kind) Seams() []Seam { return k.seams() }

// LoseAddress lets go of the address that is kept for a proxy which is down.
func (p *Proxy) LoseAddress() {
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	p.door.place.leave()
	p.door.place = nil
}
