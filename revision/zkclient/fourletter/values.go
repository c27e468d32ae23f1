package fourletter

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrNotTold is of an answer that does not have what was looked for.
var ErrNotTold = errors.New("ZooKeeper does not tell")

// Heap is the largest heap, in bytes, in an answer to envi, which has a line like "os.memory.max=1011MB". Errors:
// ErrNotTold.
func Heap(answer string) (int64, error) {
	const name = "os.memory.max"
	text, err := lineOf(answer, name, "=")
	if err != nil {
		return 0, err
	}
	mib, err := strconv.ParseInt(strings.TrimSuffix(text, "MB"), 10, 64)
	if err != nil || mib <= 0 || mib > math.MaxInt64>>20 {
		return 0, fmt.Errorf("%w its %s", ErrNotTold, name)
	}
	return mib << 20, nil
}

// Number is a whole number in an answer to mntr, whose lines are a name, a tab and a value. Errors: ErrNotTold.
func Number(answer, name string) (int64, error) {
	text, err := lineOf(answer, name, "\t")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w its %s", ErrNotTold, name)
	}
	return n, nil
}

// lineOf is what follows a name and what stands between, on the line that begins with them.
func lineOf(answer, name, between string) (string, error) {
	for line := range strings.Lines(answer) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), name+between); ok {
			return text, nil
		}
	}
	return "", fmt.Errorf("%w its %s", ErrNotTold, name)
}
