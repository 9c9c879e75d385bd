package span_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/span"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func FuzzTextSurvivesJSON(f *testing.F) {
	for _, ns := range []int64{0, 1, -1, int64(1500 * time.Millisecond), 1<<63 - 1, -1 << 63} {
		f.Add(ns)
	}
	f.Fuzz(func(t *testing.T, ns int64) {
		data, err := json.Marshal(span.Text(ns))
		if err != nil {
			t.Fatal(err)
		}
		var back span.Text
		if err := json.Unmarshal(data, &back); err != nil || int64(back) != ns {
			t.Fatalf("%d became %s and then %d, %v", ns, data, back, err)
		}
	})
}

func TestTextRefusesWhatIsNoDuration(t *testing.T) {
	for _, text := range []string{`"8"`, `"soon"`, `8`, `""`} {
		var d span.Text
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s was read as %v", text, time.Duration(d))
		}
	}
}

func TestShort(t *testing.T) {
	for _, row := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"},
		{999, "999ns"},
		{12_345, "12.3µs"},
		{88_249_000, "88.2ms"},
		{999_960_000, "1s"},
		{4_314_000_000, "4.31s"},
		{12_345 * time.Millisecond, "12.35s"},
		{90 * time.Second, "1m30s"},
		{-88_249_000, "-88.2ms"},
	} {
		if got := span.Short(row.d); got != row.want {
			t.Errorf("%d: %s, want %s", row.d, got, row.want)
		}
	}
}
