package load_test

import (
	"testing"

	"github.com/seawall-go/seawall/demo/internal/load"
)

func TestMixTellsItsShares(t *testing.T) {
	for _, row := range []struct {
		mix  load.Mix
		want string
	}{
		{load.DefaultMix(), "60 % seatmap, 25 % catalog, 15 % hold"},
		{load.Mix{Hold: 1}, "100 % hold"},
	} {
		if got := row.mix.String(); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
		if err := row.mix.Validate(); err != nil {
			t.Error(err)
		}
	}
	if share := load.DefaultMix().Share("purchase"); share != 0 {
		t.Errorf("a kind that is not asked for has a share of %v", share)
	}
}

func TestHouseEqualSeesEachSeat(t *testing.T) {
	if !house().Equal(house()) {
		t.Error("equal houses differ")
	}
	for name, change := range map[string]func(load.House) load.House{
		"a show less":  func(h load.House) load.House { return h[1:] },
		"another show": func(h load.House) load.House { h[0].ID = 99; return h },
		"another seat": func(h load.House) load.House { h[3].Seats[7] = 99; return h },
	} {
		if house().Equal(change(house())) {
			t.Errorf("%s: equal", name)
		}
	}
}
