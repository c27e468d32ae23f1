//go:build !race

package differential

// raceDetector says that this test runs with it: zkine does then too.
const raceDetector = false
