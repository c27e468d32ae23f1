//go:build race

package simulation

// raced says whether the race detector is in this build.
const raced = true
