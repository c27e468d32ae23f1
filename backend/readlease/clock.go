package readlease

import "time"

// Clock tells the time since some moment. It never goes back. It goes on while the
// process is frozen, or the machine suspended.
type Clock func() time.Duration
