package health

// Locked runs f while the lock is held, to show that a probe does not take it.
func (h *Health) Locked(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}
