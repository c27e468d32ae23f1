package archive

import (
	"errors"

	"github.com/zkine/zkine/revision"
)

// judges says whether an error is about what an object holds, or that it is missing, and
// not about a store that could not be asked.
func judges(err error) bool {
	for _, about := range []error{ErrCorrupt, ErrNewerFormat, ErrNotFound, ErrTooLarge, revision.ErrCorrupt, revision.ErrNewerFormat} {
		if errors.Is(err, about) {
			return true
		}
	}
	return false
}
