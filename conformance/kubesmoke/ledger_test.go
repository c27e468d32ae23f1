package main

import (
	"strings"
	"testing"
)

// written is an object as attempt n leaves it.
func written(name string, n int, version string) object {
	o := configMap("ns", name, content(name, n))
	o.Metadata.ResourceVersion = version
	return o
}

// A judge that cannot find fault proves nothing: each kind of loss must be called by its name.
func TestLedgerJudges(t *testing.T) {
	garbled := written("a", 2, "20")
	garbled.Data["filler"] = "something else"
	for _, c := range []struct {
		name   string
		record record
		found  []object
		want   string // part of the fault; empty: no fault
	}{
		{"acknowledged and there", record{acked: 2, tried: 2, version: "20"}, []object{written("a", 2, "20")}, ""},
		{"acknowledged and lost", record{acked: 2, tried: 2, version: "20"}, nil, "lost"},
		{"older than acknowledged", record{acked: 2, tried: 2, version: "20"}, []object{written("a", 1, "10")}, "holds content 1"},
		{"newer, by an attempt", record{acked: 2, tried: 3, version: "20"}, []object{written("a", 3, "30")}, ""},
		{"newer than any attempt", record{acked: 2, tried: 2, version: "20"}, []object{written("a", 3, "30")}, "holds content 3"},
		{"the same at another version", record{acked: 2, tried: 2, version: "20"}, []object{written("a", 2, "21")}, "at version 20 and is now at 21"},
		{"garbled", record{acked: 2, tried: 2, version: "20"}, []object{garbled}, "not that of attempt 2"},
		{"create unclear, absent", record{tried: 1, unclear: true}, nil, ""},
		{"create unclear, there", record{tried: 1, unclear: true}, []object{written("a", 1, "10")}, ""},
		{"deleted and gone", record{acked: 2, tried: 2, ending: true, gone: true}, nil, ""},
		{"deleted and there", record{acked: 2, tried: 2, ending: true, gone: true}, []object{written("a", 2, "20")}, "resurrected"},
		{"delete unclear, there", record{acked: 2, tried: 2, version: "20", ending: true}, []object{written("a", 2, "20")}, ""},
		{"delete unclear, absent", record{acked: 2, tried: 2, ending: true}, nil, ""},
		{"a stranger", record{acked: 2, tried: 2, version: "20"}, []object{written("a", 2, "20"), written("b", 1, "1")}, "nobody wrote it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger()
			l.update("a", func(r *record) { *r = c.record })
			found := map[string]object{}
			for _, o := range c.found {
				found[o.Metadata.Name] = o
			}
			err := l.judge(found)
			if c.want == "" && err != nil {
				t.Errorf("fault: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("fault %v, want one with %q", err, c.want)
			}
		})
	}
}
