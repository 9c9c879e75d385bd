package ratelimit

// HasTimer reports whether a timer of the limiter runs.
func (l *Limiter) HasTimer() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.timer != nil
}
