package top

import (
	"fmt"
	"time"
)

// rate is a number per second in at most five characters.
func rate(n float64) string {
	switch {
	case n < 0.05:
		return "0"
	case n < 9.95:
		return fmt.Sprintf("%.1f", n)
	case n < 9999.5:
		return fmt.Sprintf("%.0f", n)
	}
	return scaled(n, 1000, "kMGTPE")
}

func scaled(n, base float64, units string) string {
	unit := 0
	for n /= base; n >= 999.5 && unit < len(units)-1; n /= base {
		unit++
	}
	if n < 9.95 {
		return fmt.Sprintf("%.1f%c", n, units[unit])
	}
	return fmt.Sprintf("%.0f%c", n, units[unit])
}

// count is a whole number, with its digits as long as they fit into eight.
func count(n int64) string {
	if n < 100_000_000 {
		return fmt.Sprint(n)
	}
	return rate(float64(n))
}

// since is a time span in at most five characters.
func since(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 10*time.Minute:
		return fmt.Sprintf("%dm%02d", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 10*time.Hour:
		return fmt.Sprintf("%dh%02d", int(d.Hours()), int(d.Minutes())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// millis is a number of milliseconds.
func millis(n float64) string {
	if n < 9.95 {
		return fmt.Sprintf("%.1fms", n)
	}
	return fmt.Sprintf("%.0fms", n)
}
