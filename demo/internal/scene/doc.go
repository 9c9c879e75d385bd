// Package scene is what the chaos demo plays: each scene is a value that says what is claimed, how many customers come,
// what goes wrong and when, and by which rule the claim stands or falls. The rule binds the arm that uses Seawall; what
// the plain arm does is reported.
package scene
