package policyfile

// seeBind is the advice about what no key can mend.
const seeBind = " (see policyfile.Bind)"

// check reports what is wrong with a Config, each thing at the line of its key, or else at that of the Config.
func check[S copied[S]](d *decoder, s S, line int, advice string) (ok bool) {
	all, mended, mends := complaints(s)
	for _, c := range all {
		if d.misread(c) {
			continue
		}
		at := line
		for path := c.path; path != ""; path, _ = cutLast(path) {
			if given, ok := d.lines[path]; ok {
				at = given
				break
			}
		}
		text := c.text
		if c.path == "" {
			text += advice // keys that a file can have are found
		}
		d.add(at, d.path(c.path), "%s", text)
	}
	if mends {
		d.refuseZeros(mended)
	}
	return len(all) == 0
}
