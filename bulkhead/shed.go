package bulkhead

import "time"

const (
	buckets    = 128     // ranges of the hash that are counted
	bucketBits = 32 - 7  // of a hash, below those of its bucket
	everybody  = 1 << 32 // as what passes: all hashes are below

	shedWindow    = time.Second
	shedMaxWindow = 10 * shedWindow
	shedMinCalls  = 500

	// probe is the part by which the next window lets more in, or less. DAGOR has a hundredth and a twentieth.
	probe = 50
)

// shedder counts who asks and who is served while there is overload, and decides who passes the door. A nil shedder
// takes no notes.
type shedder struct {
	pass  [levels]int64 // hashes below pass
	began time.Duration // of the window

	asked  [levels][buckets]int64 // slots, in the window
	calls  int                    // that asked
	served int64                  // slots
	shed   int                    // calls that were turned away at the door
	lost   int                    // and behind it
}

// drops notices overload that lasts although the queue is never a standing one, because it is short and its slots come
// free together.
type drops struct {
	began              time.Duration // of the window, if it has begun
	begun              bool
	admitted, rejected int64 // as counted then
}

// dropsLocked reports whether of those who found no slot free in the latest window more than a twentieth was turned
// away.
func (b *Bulkhead) dropsLocked(now time.Duration) bool {
	d := &b.drops
	if d.begun && now-d.began < shedWindow {
		return false
	}
	latest := drops{began: now, begun: true}
	for l := range b.counts.levels {
		latest.admitted += b.counts.levels[l].admitted.Load()
		latest.rejected += b.counts.levels[l].rejected.Load()
	}
	admitted, rejected := latest.admitted-d.admitted, latest.rejected-d.rejected
	lasting := d.begun && now-d.began < shedMaxWindow && rejected > (admitted+rejected)/20
	*d = latest
	return lasting
}

// countFrom begins to count: from now on all calls come by the lock.
func (b *Bulkhead) countFrom(now time.Duration) {
	b.shedder = &shedder{began: now}
	for l := range b.shedder.pass {
		b.shedder.pass[l] = everybody
	}
	b.settings.Store(b.settings.Load().counting())
}

// passDoor counts a newcomer, and gives it its slots if they are free. Else it reports whether the call may wait for
// them.
func (b *Bulkhead) passDoor(c newcomer, now time.Duration) (h holding, pass bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d, s := b.shedder, b.settings.Load()
	if d == nil {
		return nothing, true
	}
	if d.windowIsOver(now) {
		if d.shed == 0 && d.lost == 0 && !b.standingLocked(s, now) {
			b.shedder = nil
			b.settings.Store(s.notCounting())
			return nothing, true
		}
		d.adjust(&s.parts)
		d.startWindow(now)
	}
	d.calls++
	n := min(c.asked, s.Limit) // what is asked for is set against what is served, and more than n never is
	d.asked[c.level][c.hash>>bucketBits] += int64(n)
	if b.takeLocked(s, n) {
		d.admitted(n)
		return holdingOf(slot, n), true
	}
	if int64(c.hash) < d.pass[c.level] {
		return nothing, true
	}
	d.shed++
	return nothing, false
}

// takeLocked takes slots that are free while nobody waits.
func (b *Bulkhead) takeLocked(s *settings, n int) bool {
	for w := b.state.load(); w.waiting() == 0 && w.inUse()+n <= s.Limit; w = b.state.load() {
		if w.countFull() {
			b.foldLocked()
		} else if b.state.swap(w, w+word(n)*oneInUse+oneAdmitted) {
			return true
		}
	}
	return false
}

func (d *shedder) admitted(slots int) {
	if d != nil {
		d.served += int64(slots)
	}
}

func (d *shedder) dropped() {
	if d != nil {
		d.lost++
	}
}

func (d *shedder) windowIsOver(now time.Duration) bool {
	age := now - d.began
	return age >= shedMaxWindow || age >= shedWindow && (d.calls >= shedMinCalls || d.shed+d.lost == 0)
}

func (d *shedder) startWindow(now time.Duration) {
	*d = shedder{pass: d.pass, began: now}
}

// adjust places the marks below which calls pass, so that as much asks as was served.
func (d *shedder) adjust(parts *[levels]int64) {
	budget := d.served + d.served/probe
	if d.lost > 0 {
		budget = d.served - d.served/probe
	}
	var need, get [levels]int64
	rest := budget
	for l := range d.asked {
		for _, n := range d.asked[l] {
			need[l] += n
		}
		get[l] = min(need[l], budget*parts[l]/whole)
		rest -= get[l]
	}
	for l := levels - 1; l >= 0; l-- {
		more := min(need[l]-get[l], rest)
		get[l] += more
		rest -= more
		d.pass[l] = mark(&d.asked[l], need[l], get[l])
	}
}

// mark returns below which hash those are who asked for get of the need. Within a range of the hash they are taken to
// be spread evenly.
func mark(asked *[buckets]int64, need, get int64) int64 {
	if get >= need {
		return everybody
	}
	for i, n := range asked {
		if n > get {
			return int64(i)<<bucketBits + get<<bucketBits/n
		}
		get -= n
	}
	return everybody
}
