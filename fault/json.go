package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxPlanBytes bounds what ParsePlan reads: far more than the longest plan needs.
const maxPlanBytes = 1 << 20

// ParsePlan reads a plan in JSON and validates it; it reads to the end of r, at most 1 MiB. Reading is strict, so that
// a plan does what it says or nothing: a field that is not known, a name in the wrong case, a field given twice, a
// null, a strength that is not given, and anything after the plan are errors, and the error names the place.
func ParsePlan(r io.Reader) (Plan, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPlanBytes+1))
	if err != nil {
		return Plan{}, fmt.Errorf("fault: plan: %w", err)
	}
	if len(data) > maxPlanBytes {
		return Plan{}, fmt.Errorf("fault: plan: longer than %d bytes", maxPlanBytes)
	}
	var syntax json.RawMessage
	if err := json.Unmarshal(data, &syntax); err != nil {
		if at, ok := errors.AsType[*json.SyntaxError](err); ok {
			return Plan{}, fmt.Errorf("fault: plan: byte %d: %w", at.Offset, err)
		}
		return Plan{}, fmt.Errorf("fault: plan: %w", err)
	}
	var p Plan
	if err := p.UnmarshalJSON(data); err != nil {
		return Plan{}, err
	}
	if err := p.Validate(); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// UnmarshalJSON reads a plan as strictly as [ParsePlan] does, and does not validate it. A null is an error.
func (p *Plan) UnmarshalJSON(data []byte) error {
	var read Plan
	faults := func(path string, raw json.RawMessage) error {
		return readArray(path, raw, func(path string, raw json.RawMessage) error {
			var f Fault
			if err := f.read(path+".", raw); err != nil {
				return err
			}
			read.Faults = append(read.Faults, f)
			return nil
		})
	}
	_, err := readObject("", data, []field{
		{"seed", into(&read.Seed, "a whole number from 0 to 18446744073709551615")},
		{"faults", faults},
	})
	if err != nil {
		return fmt.Errorf("fault: plan: %w", err)
	}
	*p = read
	return nil
}

// UnmarshalJSON reads a fault as strictly as [ParsePlan] does, and does not validate it. A null is an error.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var read Fault
	if err := read.read("", data); err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	*f = read
	return nil
}

func (f *Fault) read(prefix string, data []byte) error {
	fields := []field{
		{"at", duration(&f.At)},
		{"for", duration(&f.For)},
		{"kind", into(&f.Kind, "a text")},
		{"target", into(&f.Target, "a text")},
	}
	for _, s := range f.slots() {
		fields = append(fields, field{s.name, s.read})
	}
	given, err := readObject(prefix, data, fields)
	if err != nil {
		return err
	}
	// A rate that was forgotten must not pass for a rate of 0.
	for _, p := range f.parameters() {
		if p.needed && !given[p.name] {
			return fmt.Errorf("%s%s is missing, want %s for kind %q", prefix, p.name, p.want, f.Kind)
		}
	}
	return nil
}

// toxicity reads a share of which 0 is none: in a Fault that is not the zero field, which is the default.
func toxicity(to *float64) reader {
	return func(path string, raw json.RawMessage) error {
		const want = "a number from 0 to 1"
		if err := into(to, want)(path, raw); err != nil {
			return err
		}
		if *to < 0 {
			return unwanted(path, raw, want)
		}
		if *to == 0 {
			*to = Never
		}
		return nil
	}
}

// MarshalJSON writes the form that [ParsePlan] reads.
func (p Plan) MarshalJSON() ([]byte, error) {
	faults := p.Faults
	if faults == nil {
		faults = []Fault{} // a null would not be read back
	}
	return json.Marshal(struct {
		Seed   uint64  `json:"seed"`
		Faults []Fault `json:"faults"`
	}{p.Seed, faults})
}

// MarshalJSON writes the form that [ParsePlan] reads.
func (f Fault) MarshalJSON() ([]byte, error) {
	written := []slot{
		{name: "at", v: f.At.String()},
		{name: "for", v: f.For.String()},
		{name: "kind", v: f.Kind},
		{name: "target", v: f.Target},
	}
	for _, s := range f.given() {
		if s.name == toxicityField {
			s.v = max(0, f.Toxicity) // Never is 0
		}
		written = append(written, s)
	}
	var b bytes.Buffer
	before := "{"
	for _, s := range written {
		v, err := json.Marshal(s.v)
		if err != nil {
			return nil, fmt.Errorf("fault: %s: %w", s.name, err)
		}
		fmt.Fprintf(&b, "%s%q:%s", before, s.name, v)
		before = ","
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// given returns the fields that are set, and those that have no default.
func (f *Fault) given() []slot {
	parameters := f.parameters()
	return slices.DeleteFunc(f.slots(), func(s slot) bool {
		return s.unset && !slices.ContainsFunc(parameters, func(p parameter) bool { return p.name == s.name && p.needed })
	})
}
