package simulation

import (
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// effect is where a value was written.
type effect struct {
	rev   int64
	event *mvccpb.Event
}

// checkRevisions finds revisions without a change, and values that no client wrote.
func checkRevisions(r *replayed, h *history) (wrong []string) {
	tried := map[string]bool{}
	for _, o := range h.ops {
		tried[o.value] = true
	}
	for _, l := range h.leases {
		tried[l.key] = true
	}
	for _, rev := range r.revs {
		if len(r.events[rev]) == 0 {
			wrong = append(wrong, fmt.Sprintf("revision %d changed nothing", rev))
		}
		for _, e := range r.events[rev] {
			if e.Type == mvccpb.Event_PUT && !tried[mine(string(e.Kv.Value))] {
				wrong = append(wrong, fmt.Sprintf("no client wrote %.20q at revision %d", e.Kv.Value, rev))
			}
		}
	}
	return wrong
}

// checkWrites compares what clients were told about their writes with the log:
// an acknowledged one is there once, where it was said to be; one of unknown
// outcome at most once; one that was refused never.
func checkWrites(r *replayed, h *history) (wrong []string) {
	effects := map[string][]effect{}
	for _, rev := range r.revs {
		for _, e := range r.events[rev] {
			if e.Type == mvccpb.Event_PUT {
				value := string(e.Kv.Value)
				effects[value] = append(effects[value], effect{rev, e})
			}
		}
	}
	for _, o := range h.ops {
		report := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("%s: ", o)+fmt.Sprintf(format, args...))
		}
		switch o.kind {
		case opPut, opSwap:
			o.checkEffects(effects[o.value], report)
		case opPair:
			one, two := effects[o.value+"-1"], effects[o.value+"-2"]
			o.checkEffects(one, report)
			if len(one) != len(two) || len(one) == 1 && one[0].rev != two[0].rev {
				report("half of a transaction: %d and %d effects", len(one), len(two))
			}
		case opDelete:
		default:
			continue
		}
		if o.acked() {
			o.checkAcked(r, report)
		}
	}
	return wrong
}

func (o *op) acked() bool { return !o.unknown && !o.refused && !o.compacted }

func (o *op) checkEffects(found []effect, report func(string, ...any)) {
	wants := o.acked() && (o.kind != opSwap || o.succeeded)
	switch {
	case len(found) > 1:
		report("%d effects, at %d and %d", len(found), found[0].rev, found[1].rev)
	case wants && len(found) == 0:
		report("acknowledged at revision %d and lost", o.rev)
	case wants && found[0].rev != o.rev:
		report("acknowledged at revision %d, written at %d", o.rev, found[0].rev)
	case len(found) == 1 && o.refused:
		report("refused, and written at %d", found[0].rev)
	case len(found) == 1 && o.acked() && !wants:
		report("not to be written, and written at %d", found[0].rev)
	}
}

func (o *op) checkAcked(r *replayed, report func(string, ...any)) {
	if o.rev > r.current() || o.rev < 1 {
		report("acknowledged at revision %d of %d", o.rev, r.current())
		return
	}
	wrote := o.kind == opPut || o.kind == opPair || o.kind == opSwap && o.succeeded || o.deleted > 0
	if wrote && o.rev <= o.floor {
		report("acknowledged at revision %d, though %d was seen before it began", o.rev, o.floor)
	}
	if wrote && (r.made[o.rev] < o.began || r.made[o.rev] > o.ended) {
		report("between %v and %v, written at %v", o.began, o.ended, r.made[o.rev])
	}
	switch o.kind {
	case opSwap:
		if had := modRevision(r.before(o.key, o.rev)); o.succeeded && had != o.expected {
			report("swapped at %d, though its mod revision was %d", o.rev, had)
		}
		if had := modRevision(r.at(o.key, o.rev)); !o.succeeded && had == o.expected {
			report("not swapped at %d, though its mod revision was the expected one", o.rev)
		}
	case opDelete:
		if gone := r.at(o.key, o.rev) == nil; !gone {
			report("deleted at %d, and still there", o.rev)
		}
		if had := r.before(o.key, o.rev) != nil; o.deleted > 0 && !had {
			report("deleted at %d what was not there", o.rev)
		}
	}
}

func modRevision(kv *mvccpb.KeyValue) int64 {
	if kv == nil {
		return 0
	}
	return kv.ModRevision
}

func (o *op) String() string {
	name := [...]string{"put", "delete", "swap", "pair", "get", "serializable get", "compact"}[o.kind]
	value, _, _ := strings.Cut(o.value, "\x00")
	return fmt.Sprintf("%s %s %.12q (expected %d, at %d)", name, o.key, value, o.expected, o.at)
}
