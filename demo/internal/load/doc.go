// Package load is the customers of the box office: what they ask for, when, and what they got.
//
// The load is an open loop. Arrivals are a Poisson process that the seed fixes, and they never wait for answers: a slow
// box office does not get fewer customers. All arms get the same arrivals. Every random value is a hash of the seed,
// the scene and the number of the arrival, so nothing that happens in a run can shift what comes next.
package load
