package differential

import (
	"fmt"
	"slices"
	"strings"
)

// tally counts what was asked and what etcd answered, so that one can see whether a run tried what it should.
type tally map[string]int

// note counts an outcome by its call and, if it is an error, by its words.
func (t tally) note(o operation, etcd outcome) {
	call := string(o.ProtoReflect().Descriptor().Name())
	if o.streamed {
		call = "streamed " + call
	}
	if etcd.err == "" {
		t[call]++
	} else {
		t[fmt.Sprintf("%s: %.70s", call, etcd.err)]++
	}
}

func (t tally) String() string {
	var lines []string
	for what, n := range t {
		lines = append(lines, fmt.Sprintf("%-110s %d", what, n))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
