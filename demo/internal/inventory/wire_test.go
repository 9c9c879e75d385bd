package inventory_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/inventory"
)

func TestASeatMapIsNotReadOtherThanItWasWritten(t *testing.T) {
	m := inventory.SeatMap{
		Performance: 3, AsOfMS: 1234,
		Claims: []inventory.Claim{
			{Seat: 5, State: inventory.Held}, {Seat: 1 << 62, State: inventory.Sold}, {Seat: 7, State: inventory.Paying},
		},
	}
	data, err := json.Marshal(m)
	want := `{"performance":3,"as_of_ms":1234,"claims":[[5,"held"],[4611686018427387904,"sold"],[7,"paying"]]}`
	if err != nil || string(data) != want {
		t.Fatalf("%s, error %v, want %s", data, err, want)
	}
	var back inventory.SeatMap
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("%+v, error %v", back, err)
	}
}

func TestACorruptClaimIsNotAccepted(t *testing.T) {
	for _, text := range []string{
		`null`, `[]`, `[1]`, `["held"]`, `[1,"held",2]`, `["1","held"]`, `[1.5,"held"]`, `[0,"held"]`, `[-1,"sold"]`, `[1,"free"]`,
		`[1,""]`, `[1,null]`, `[null,"held"]`, `{"seat":1}`, `1`, `"held"`, `[1,"expired"]`, `[9223372036854775808,"held"]`,
	} {
		var c inventory.Claim
		if err := c.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s was read as %+v", text, c)
		}
	}
}

func FuzzClaim(f *testing.F) {
	for _, text := range []string{`[1,"held"]`, `[ 2 , "paying" ]`, `[3,"sold"]`, `[4,"lost"]`, `[1,2,3]`, `null`, `[1,"held"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c, again inventory.Claim
		if c.UnmarshalJSON([]byte(text)) != nil {
			return
		}
		data, err := c.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalJSON(data); err != nil || again != c {
			t.Errorf("%q is %+v, written %s, read %+v, error %v", text, c, data, again, err)
		}
	})
}

// A body that is accepted says no more than the request that was read from it.
func FuzzReadRequest(f *testing.F) {
	for _, text := range []string{
		`{"performance":1,"seats":[1,2]}`, `{}`, `null`, `[]`, `{"performance":1,"seats":[1]}x`, `{"performance":1}{}`, `{"order":"a"}`,
		`{"performance":1e3}`, `{"seats":[1,"2"]}`, ` {"seats": null} `, `{"performance":9223372036854775808}`, ``,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := inventory.ReadRequest(strings.NewReader(text))
		if err != nil {
			return
		}
		if r.Order != "" || r.For != 0 {
			t.Errorf("%q set a field that is not in the body: %+v", text, r)
		}
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := inventory.ReadRequest(strings.NewReader(string(data)))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%q is %+v, written %s, read %+v, error %v", text, r, data, again, err)
		}
	})
}
