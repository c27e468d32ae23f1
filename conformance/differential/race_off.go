//go:build !race

package differential

// buildFlags are those that zkine is built with: as this test is, with the race detector or without.
var buildFlags = []string(nil)
