package simulation

import (
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// checkReads compares what clients read with the log: each read is the state at
// one revision. A linearizable one is at least as new as all that anyone had
// seen when it began; serializable ones of one life never go back.
func checkReads(r *replayed, h *history) (wrong []string) {
	last := map[*life][]*op{}
	for _, o := range h.ops {
		if !o.acked() || o.kind != opGet && o.kind != opSerializable {
			if floor := r.floorAt(o.ended); o.compacted && (o.at > floor || o.at == floor && o.kind != opCompact) {
				wrong = append(wrong, fmt.Sprintf("%s: compacted, though the floor was not above %d until %v", o, floor, o.ended))
			}
			continue
		}
		if o.rev == 0 {
			continue // of a revision that was still to come
		}
		wrong = append(wrong, o.checkRead(r)...)
		for _, earlier := range last[o.who] {
			if earlier.ended <= o.began && earlier.rev > o.rev {
				wrong = append(wrong, fmt.Sprintf("%s: read revision %d after %d on the same zkine", o, o.rev, earlier.rev))
			}
		}
		last[o.who] = append(last[o.who], o)
	}
	return wrong
}

func (o *op) checkRead(r *replayed) (wrong []string) {
	report := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s: ", o)+fmt.Sprintf(format, args...))
	}
	if made, is := r.made[o.rev]; !is || made > o.ended {
		report("read revision %d before it was made", o.rev)
		return wrong
	}
	if o.kind == opGet && o.rev < o.floor {
		report("read revision %d, though %d was seen before it began", o.rev, o.floor)
	}
	rev := o.rev
	if o.at > 0 {
		rev = o.at
		if to := r.crossed(o.at, o.rev); to > 0 {
			report("read at revision %d, though the revision was raised to %d", o.rev, to)
		}
	}
	for _, key := range keys {
		i := slices.IndexFunc(o.kvs, func(kv *mvccpb.KeyValue) bool { return string(kv.Key) == key })
		want := r.at(key, rev)
		switch {
		case i < 0 && want != nil:
			report("%s is missing at revision %d", key, rev)
		case i >= 0 && (want == nil || !sameKV(o.kvs[i], want)):
			report("%s is not what it was at revision %d", key, rev)
		}
	}
	return wrong
}

func sameKV(a, b *mvccpb.KeyValue) bool {
	return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value) && a.ModRevision == b.ModRevision &&
		a.CreateRevision == b.CreateRevision && a.Version == b.Version && a.Lease == b.Lease
}
