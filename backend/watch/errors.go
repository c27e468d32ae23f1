package watch

import "errors"

// ErrClosed says that the stream was closed by its user.
var ErrClosed = errors.New("watch: stream closed")
