package main

import "os"

// ballastBytes bounds by how much garbage adds to the memory of a zkine that
// has next to no keys.
const ballastBytes = 64 << 20

// newBallast makes garbage collections fewer while the state is small, for as
// long as it is kept. A collection begins when the heap has doubled since the
// last one, which with a few megabytes of keys is a dozen times a second under
// load. Nobody touches the ballast, so it takes no memory of the machine; but it
// counts as heap, and that much more may be allocated between two collections.
// What an operator has set is left alone.
func newBallast() []byte {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	return make([]byte, ballastBytes)
}
