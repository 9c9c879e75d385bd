package seawall

// Held returns how many members a registry holds, the dropped ones that it has not yet noticed among them.
func (r *Registry) Held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.members) + len(r.latest)
}

// Ours is ours.
func Ours(function string) bool { return ours(function) }
