package keyed_test

import "testing"

// FuzzMap runs a list of operations beside a plain map of what must still be there.
func FuzzMap(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{1, 0x41, 2, 3, 0x81, 4, 5, 6, 1})
	f.Add([]byte{2, 0x41, 0x42, 0x43, 0x44, 1, 2, 0x81, 0x82, 0x83, 5, 6, 7, 8, 9, 10})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) == 0 {
			return
		}
		limit := 1 + int(ops[0]%8)
		m := newThings(limit)
		protected := map[int]*thing{}
		for _, op := range ops[1:] {
			k := int(op & 0x3f)
			v := m.Get(k)
			if v.k != k {
				t.Fatalf("Get(%d) is the value of %d", k, v.k)
			}
			if was, ok := protected[k]; ok && was != v {
				t.Fatalf("protected key %d was made again", k)
			}
			switch op >> 6 {
			case 1:
				v.locked.Store(true)
				protected[k] = v
			case 2:
				v.locked.Store(false)
				delete(protected, k)
			}
			listed := 0
			for range m.All() {
				listed++
			}
			if listed != m.Len() {
				t.Fatalf("All lists %d entries, Len says %d", listed, m.Len())
			}
			if most := limit + 64; m.Len() > most {
				t.Fatalf("%d entries, want at most %d", m.Len(), most)
			}
		}
		for k := range 200 { // time to notice what is not protected any more
			m.Get(1000 + k)
		}
		if want := limit + len(protected); m.Len() != want {
			t.Fatalf("%d entries at rest, want %d", m.Len(), want)
		}
	})
}
