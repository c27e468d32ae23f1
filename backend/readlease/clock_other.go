//go:build !linux

package readlease

import "time"

var began = time.Now()

// MachineClock is the clock of the machine.
func MachineClock() time.Duration { return time.Since(began) }
