package fault_test

import (
	"net"
	"testing"
	"time"
)

// BenchmarkConn pairs a connection through a point with its inner one.
func BenchmarkConn(b *testing.B) {
	i := newInjector(latency(time.Hour, time.Hour, "a", time.Second))
	through := i.Point("a").Conn(sinkConn{})
	defer through.Close()
	buf := make([]byte, 64)
	for _, c := range []struct {
		name string
		conn net.Conn
	}{{"inner", sinkConn{}}, {"through", through}} {
		b.Run("read/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.conn.Read(buf)
			}
		})
		b.Run("write/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.conn.Write(buf)
			}
		})
	}
}
