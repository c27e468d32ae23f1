package v3rpc

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/pkg/v3/adt"
)

// written is what a list of operations would write: the keys that it puts, and
// the intervals that it deletes.
type written struct {
	puts map[string]struct{}
	dels adt.IntervalTree
}

// checkOverlap refuses operations that would write a key twice in one
// revision: two puts, or a put and a delete. Two deletes may overlap, and so
// may the two branches of a nested transaction, of which one is taken.
//
// The order in which etcd looks makes some of the rules, and is kept:
//
//  1. this level's deletes, wherever in the list they stand;
//  2. nested transactions in their order, each against what came before it: so
//     a put in one and a delete of its key in a later one pass, the reverse not;
//  3. this level's puts, against everything.
//
// A delete whose range_end is at or below its key covers no key here. That is
// so for "\0" too, which means "to the end" when it is executed: such a delete
// escapes the check, in etcd as here.
func checkOverlap(ops []*pb.RequestOp) error {
	if len(ops) == 0 || len(ops) == 1 && ops[0].GetRequestTxn() == nil {
		return nil // as in nearly all transactions
	}
	_, err := writtenBy(ops)
	return err
}

func writtenBy(ops []*pb.RequestOp) (written, error) {
	w := written{puts: make(map[string]struct{}), dels: adt.NewIntervalTree()}
	for _, op := range ops {
		if d := op.GetRequestDeleteRange(); d != nil {
			w.dels.Insert(deleted(d), struct{}{})
		}
	}
	for _, op := range ops {
		if t := op.GetRequestTxn(); t != nil {
			if err := w.addTxn(t); err != nil {
				return w, err
			}
		}
	}
	for _, op := range ops {
		if p := op.GetRequestPut(); p != nil {
			if err := w.addPut(string(p.Key), nil); err != nil {
				return w, err
			}
		}
	}
	return w, nil
}

// addTxn adds what a nested transaction may write, whichever branch is taken.
func (w written) addTxn(t *pb.TxnRequest) error {
	then, err := writtenBy(t.Success)
	if err != nil {
		return err
	}
	otherwise, err := writtenBy(t.Failure)
	if err != nil {
		return err
	}
	for key := range then.puts {
		if err := w.addPut(key, nil); err != nil {
			return err
		}
	}
	for key := range otherwise.puts {
		if err := w.addPut(key, then.puts); err != nil {
			return err
		}
	}
	everything := adt.NewStringAffineInterval("\x00", "")
	w.dels.Union(then.dels, everything)
	w.dels.Union(otherwise.dels, everything)
	return nil
}

// addPut adds a key, unless it is put or deleted already; keys of sibling, the
// other branch, may be put again.
func (w written) addPut(key string, sibling map[string]struct{}) error {
	if _, twice := w.puts[key]; twice {
		if _, allowed := sibling[key]; !allowed {
			return rpctypes.ErrGRPCDuplicateKey
		}
	}
	if w.dels.Intersects(adt.NewStringAffinePoint(key)) {
		return rpctypes.ErrGRPCDuplicateKey
	}
	w.puts[key] = struct{}{}
	return nil
}

// deleted is the interval of a delete; an end of "" would mean infinity to adt,
// and does not occur.
func deleted(d *pb.DeleteRangeRequest) adt.Interval {
	if len(d.RangeEnd) == 0 {
		return adt.NewStringAffinePoint(string(d.Key))
	}
	return adt.NewStringAffineInterval(string(d.Key), string(d.RangeEnd))
}
