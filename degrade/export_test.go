package degrade

// SetRandom replaces what decides which successes are exercised. It is called before the fallback is used.
func (f *Fallback) SetRandom(random func() float64) { f.random = random }
