package keyed

// list is a ring of entries through a root, so that an entry needs no allocation of its own to be in it.
type list[K comparable, V any] struct {
	root entry[K, V]
	len  int
}

func (l *list[K, V]) init() { l.root.prev, l.root.next = &l.root, &l.root }

func (l *list[K, V]) last() *entry[K, V] { return l.root.prev }

func (l *list[K, V]) pushFront(e *entry[K, V]) { l.insertAfter(&l.root, e) }

func (l *list[K, V]) pushBack(e *entry[K, V]) { l.insertAfter(l.root.prev, e) }

func (l *list[K, V]) insertAfter(at, e *entry[K, V]) {
	e.prev, e.next = at, at.next
	at.next.prev = e
	at.next = e
	l.len++
}

func (l *list[K, V]) remove(e *entry[K, V]) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
	l.len--
}
