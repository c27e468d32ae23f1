package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag's number of bytes, such as 536870912, 512m or 1.5GiB.
type byteSize int64

var byteUnits = map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

// Set implements pflag.Value. k, kb and KiB are all 1024, as for java.
func (b *byteSize) Set(text string) error {
	number := strings.TrimRight(text, "KkMmGgTtIiBb ")
	unit := strings.ToLower(strings.TrimSpace(text[len(number):]))
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	factor, known := byteUnits[unit]
	if err != nil || !known || !(n >= 0) || n*factor >= math.MaxInt64 {
		return fmt.Errorf("%q is not a number of bytes", text)
	}
	*b = byteSize(n * factor)
	return nil
}

func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "bytes" }

// size shows bytes to people.
func size(n int64) string {
	if n < 10<<30 {
		return fmt.Sprintf("%d MiB", (n+1<<19)>>20)
	}
	return fmt.Sprintf("%d GiB", (n+1<<29)>>30)
}
