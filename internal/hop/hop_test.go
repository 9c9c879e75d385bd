package hop_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/hop"
)

func TestTimeoutsAreReadInTheirOwnGrammarOnly(t *testing.T) {
	type parse func(string) (time.Duration, bool)
	for _, c := range []struct {
		name  string
		parse parse
		in    string
		want  time.Duration // 0: not understood
	}{
		{"millis", hop.ParseMillis, "250", 250 * time.Millisecond},
		{"millis", hop.ParseMillis, "0", 0},
		{"millis", hop.ParseMillis, "", 0},
		{"millis", hop.ParseMillis, "-1", 0},
		{"millis", hop.ParseMillis, "+1", 0},
		{"millis", hop.ParseMillis, " 1", 0},
		{"millis", hop.ParseMillis, "1.5", 0},
		{"millis", hop.ParseMillis, "1e3", 0},
		{"millis", hop.ParseMillis, "250ms", 0},
		{"millis", hop.ParseMillis, "99999999999999999999999", hop.MaxTimeout},
		{"seconds", hop.ParseSeconds, "3", 3 * time.Second},
		{"seconds", hop.ParseSeconds, "9223372036854775807", hop.MaxTimeout},
		{"grpc", hop.ParseGRPCTimeout, "100m", 100 * time.Millisecond},
		{"grpc", hop.ParseGRPCTimeout, "2M", 2 * time.Minute},
		{"grpc", hop.ParseGRPCTimeout, "3S", 3 * time.Second},
		{"grpc", hop.ParseGRPCTimeout, "5000u", 5 * time.Millisecond},
		{"grpc", hop.ParseGRPCTimeout, "1n", time.Millisecond},
		{"grpc", hop.ParseGRPCTimeout, "99999999H", hop.MaxTimeout},
		{"grpc", hop.ParseGRPCTimeout, "999999999H", 0}, // nine digits
		{"grpc", hop.ParseGRPCTimeout, "100", 0},
		{"grpc", hop.ParseGRPCTimeout, "m", 0},
		{"grpc", hop.ParseGRPCTimeout, "0m", 0},
		{"grpc", hop.ParseGRPCTimeout, "-1m", 0},
	} {
		if got, ok := c.parse(c.in); ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%s %q: %v, %t, want %v", c.name, c.in, got, ok, c.want)
		}
	}
}

func TestAttemptIsClamped(t *testing.T) {
	for in, want := range map[string]int{"1": 1, "7": 7, "5000": hop.MaxAttempt, "99999999999999999999": hop.MaxAttempt, "0": 0, "-1": 0, "": 0, "x": 0} {
		if got, ok := hop.ParseAttempt(in); ok != (want != 0) || ok && got != want {
			t.Errorf("%q: %d, %t, want %d", in, got, ok, want)
		}
	}
}

func TestTimeLeftIsNeverWrittenAsNoLimit(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "1", 0: "1", 900 * time.Microsecond: "1", 1500 * time.Millisecond: "1500"} {
		if got := hop.FormatMillis(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestWaitIsSpreadUpwardsOnly(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := hop.SpreadUp(8 * time.Second)
		if d < 8*time.Second || d > 10*time.Second {
			t.Fatalf("%v is not within [8s, 10s]", d)
		}
		seen[d.Round(time.Second)] = true
	}
	if len(seen) != 3 {
		t.Errorf("waits of %v, want all of 8, 9 and 10 s", seen)
	}
	if d := hop.SpreadUp(-1); d != 0 {
		t.Errorf("a negative wait became %v", d)
	}
	if d := hop.SpreadUp(1 << 62); d < hop.MaxHint || d > hop.MaxHint+hop.MaxHint/4 {
		t.Errorf("a wait of centuries became %v", d)
	}
}

func FuzzTimeoutsStayWithinTheirBounds(f *testing.F) {
	for _, s := range []string{"250", "0", "-1", "99999999999999999999", "100m", "99999999H", "1n", "m", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (time.Duration, bool){hop.ParseMillis, hop.ParseSeconds, hop.ParseGRPCTimeout} {
			if d, ok := parse(s); ok && (d <= 0 || d > hop.MaxTimeout) {
				t.Errorf("%q: %v", s, d)
			}
		}
		if n, ok := hop.ParseAttempt(s); ok && (n < 1 || n > hop.MaxAttempt) {
			t.Errorf("%q: attempt %d", s, n)
		}
	})
}
