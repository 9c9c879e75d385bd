// Package plot draws series over time as SVG: no script, no font of its own, no colour that needs a light or a dark
// page to be seen, with a title and a description for those who do not see it. The same [Plot] gives the same bytes.
package plot
