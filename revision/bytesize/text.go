// Package bytesize writes numbers of bytes for people, in one way wherever zkine does: units of 1024, and at most three
// digits. What a program may read, such as a flag's bounds or JSON, stays a number of bytes.
//
// It imports nothing but the standard library.
package bytesize

import (
	"fmt"
	"math"
)

// units are those above a byte, each 1024 times the one before.
const units = "KMGTPE"

// Text is a number of bytes, rounded, as in 512 B, 1.5 GiB and 273 MiB.
func Text(n int64) string { return spelled(n, math.Round) }

// AtLeast is Text rounded up: who gives that much gives enough.
func AtLeast(n int64) string { return spelled(n, math.Ceil) }

// AtMost is Text rounded down: who takes that much takes no more than there is.
func AtMost(n int64) string { return spelled(n, math.Floor) }

// Short is Text for a column of five: 512, 1.5G and 273M.
func Short(n int64) string {
	figure, unit := scaled(n, math.Round)
	if unit == 0 {
		return figure
	}
	return figure + units[unit-1:unit]
}

func spelled(n int64, round func(float64) float64) string {
	figure, unit := scaled(n, round)
	if unit == 0 {
		return figure + " B"
	}
	return figure + " " + units[unit-1:unit] + "iB"
}

// scaled is a number in a unit, which is counted from bytes, 0: below ten with a decimal, and without one up to 999.
func scaled(n int64, round func(float64) float64) (figure string, unit int) {
	if n < 1000 {
		return fmt.Sprint(n), 0
	}
	of := float64(n)
	for unit = 1; ; unit++ {
		of /= 1024
		if tenths := round(of * 10); tenths < 100 {
			return fmt.Sprintf("%.1f", tenths/10), unit
		}
		if whole := round(of); whole < 1000 {
			return fmt.Sprintf("%.0f", whole), unit
		}
	}
}
