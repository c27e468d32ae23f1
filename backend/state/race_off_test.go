//go:build !race

package state

// raced says whether the race detector is in this build.
const raced = false
