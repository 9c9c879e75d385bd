// Package verdict holds what happened in a scene against its rule and against the invariants that hold in every scene.
//
// It looks at three things that know nothing of each other: what customers did and saw, what the arm's databases say
// when the traffic has ended, and, for the limits only, the samples of the arm's own counts. The verdict on seats and
// orders never trusts those counts.
//
// The numbers of the invariants are those of the demo's design; what is missing here belongs to parts that this demo
// does not have yet.
package verdict
