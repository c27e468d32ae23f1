package main

import (
	"fmt"
	"slices"
)

// verdict is what is wrong with a run; nothing, if all is well.
type verdict struct {
	wrong []string
	// show are the tests whose output explains it.
	show []name
}

// judge holds a run against what is expected of it: every test passes, but for the excused, which are skipped on any
// store; and every test is there.
func judge(t *tally, chosen []suite, o options, excused map[name]bool) verdict {
	var v verdict
	for _, n := range t.names {
		r := t.tests[n]
		switch {
		case r.failed > 0:
			v.add(fmt.Sprintf("%v failed %d times of %d", n, r.failed, r.begun), n)
		case r.unfinished() > 0:
			v.add(fmt.Sprintf("%v did not finish", n), n)
		case r.skipped > 0 && !excused[n]:
			v.add(fmt.Sprintf("%v was skipped, and is not known to be skipped on etcd", n), n)
		case r.skipped == 0 && excused[n]:
			v.add(fmt.Sprintf("%v was not skipped, though %s says so", n, excusedFile))
		}
	}
	for _, s := range chosen {
		v.wrong = append(v.wrong, missing(t, s, o)...)
	}
	if o.run == "" {
		for n := range excused {
			if t.tests[n] == nil && slices.ContainsFunc(chosen, func(s suite) bool { return s.path() == n.pkg }) {
				v.add(fmt.Sprintf("%v does not exist, though %s has it", n, excusedFile))
			}
		}
	}
	return v
}

func (v *verdict) add(what string, show ...name) {
	v.wrong = append(v.wrong, what)
	v.show = append(v.show, show...)
}

// missing says what a package lacks as a whole.
func missing(t *tally, s suite, o options) []string {
	p := t.pkg(s.path())
	var wrong []string
	if !p.ended || p.failed {
		wrong = append(wrong, s.name+" did not pass")
	}
	if o.run != "" {
		return wrong
	}
	if c := t.count(s.path()); c.functions != s.functions {
		wrong = append(wrong, fmt.Sprintf("%s has %d test functions instead of %d", s.name, c.functions, s.functions))
	}
	if o.store == storeZkine && s.served && p.served == 0 {
		wrong = append(wrong, s.name+" started no zkine")
	}
	return wrong
}
