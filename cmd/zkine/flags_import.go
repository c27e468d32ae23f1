package main

import (
	"strconv"

	"github.com/spf13/pflag"
)

// revisionFlags say which revisions a store has that is moved in.
type revisionFlags struct {
	bump          int64
	markCompacted bool
	fresh         bool
	floor         int64
}

func (r *revisionFlags) bind(f *pflag.FlagSet) {
	f.Int64Var(&r.bump, "bump-revision", 0, "raise the revision by `N`, above all that clients have seen of the source; needs --mark-compacted")
	f.BoolVar(&r.markCompacted, "mark-compacted", false, "leave the history out, so that watches of before are told; goes with --bump-revision")
	f.BoolVar(&r.fresh, "fresh-revisions", false, "give all keys new revisions, above that of the source or --revision-floor")
	f.Int64Var(&r.floor, "revision-floor", 0, "no revision up to `N` is used: raise a lower one, and leave the history out then")
}

// check knows etcdutl's rules for its two flags.
func (r *revisionFlags) check(v *checker) {
	switch {
	case r.bump < 0 || r.bump > maxBump:
		v.refuse("bump-revision", strconv.FormatInt(r.bump, 10)+" is out of bounds", "choose a number such as 1000000000")
	case r.bump > 0 && !r.markCompacted:
		v.refuse("bump-revision", "it needs --mark-compacted", "add it: watches of before would miss changes without being told")
	case r.markCompacted && r.bump == 0:
		v.refuse("mark-compacted", "it needs --bump-revision", "say by how much the revision is to be raised, such as 1000000000")
	case r.floor < 0 || r.floor > maxBump:
		v.refuse("revision-floor", strconv.FormatInt(r.floor, 10)+" is out of bounds", "choose the highest revision that clients may have seen")
	case r.bump > 0 && r.fresh:
		v.refuse("fresh-revisions", "it contradicts --bump-revision", "leave one of them out")
	case r.bump > 0 && r.floor > 0:
		v.refuse("revision-floor", "it contradicts --bump-revision", "leave one of them out")
	}
}

// text names them, where two transfers of the same source may differ.
func (r *revisionFlags) text() string {
	switch {
	case r.bump > 0:
		return ", raised by " + strconv.FormatInt(r.bump, 10)
	case r.fresh:
		return ", with fresh revisions above " + strconv.FormatInt(r.floor, 10)
	case r.floor > 0:
		return ", above revision " + strconv.FormatInt(r.floor, 10)
	}
	return ""
}
