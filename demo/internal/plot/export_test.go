package plot

// Ticks are the labels of the vertical axis.
func Ticks(p Plot) []string {
	a := p.axis()
	var labels []string
	for _, t := range a.ticks {
		labels = append(labels, a.format(t))
	}
	return labels
}
