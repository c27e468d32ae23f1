package robustness

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
	"go.etcd.io/etcd/tests/v3/robustness/model"
)

// corruption makes a true case into one that no correct store could have left
// behind. It returns false if it finds nothing to corrupt.
type corruption struct {
	name string
	do   func(*Case) bool
	// by is the judge who must notice, and says something of why. Without a why
	// any reason does, and so does a panic of the judge's: what is wrong with
	// a log that was tampered with depends on the keys.
	by, why string
}

const (
	byAssumptions   = "assumptions"
	byLinearization = "linearization"
	byWatch         = "watch"
	byOldReads      = "serializable"
)

var corruptions = []corruption{
	{"an event is lost", dropEvent, byWatch, "broke Reliable"},
	{"an event has another value", alterEvent, byWatch, "broke Reliable"},
	{"two events are swapped", swapEvents, byWatch, "broke Ordered"},
	{"an event comes twice", repeatEvent, byWatch, "broke Unique"},
	{"a revision comes in two parts", splitRevision, byWatch, "broke Atomic"},
	{"a bookmark is too early", earlyBookmark, byWatch, "broke Bookmarkable"},
	{"a bookmark covers what was not sent", lyingBookmark, byWatch, "broke Reliable"},
	{"a resumed watch begins too late", dropFirstEvent, byWatch, "broke Resumable"},
	{"an event of a key that is not watched", strayEvent, byWatch, "not matching watch filter"},
	{"an update says that it creates", flipCreate, byWatch, "incorrect event IsCreate"},
	{"a wrong previous value", wrongPrevValue, byWatch, "incorrect event prevValue"},

	{"an acknowledged write is not in the log", loseWrite, byWatch, ""},
	{"two writes are swapped in the log", swapWrites, byWatch, ""},
	{"a batch that was sent twice counts twice", repeatWrite, byWatch, ""},
	{"the log holds a write that nobody saw", inventWrite, byWatch, ""},

	{"a read is stale", staleRead, byLinearization, "illegal"},
	{"a read shows a value that was never written", inventedRead, byLinearization, "illegal"},
	{"a write is acknowledged at another's revision", shiftedWrite, byLinearization, "illegal"},
	{"a transaction's comparison fails without a reason", failedTxn, byLinearization, "illegal"},
	{"a read of an old revision shows another one", wrongOldRead, byOldReads, "didn't match"},
	{"the store was not empty at first", notEmpty, byAssumptions, "non empty database"},
}

// watches yields the watches of all clients until one was corrupted.
func watches(c *Case, corrupt func(*model.WatchOperation) bool) bool {
	for i := range c.Reports {
		for j := range c.Reports[i].Watch {
			if corrupt(&c.Reports[i].Watch[j]) {
				return true
			}
		}
	}
	return false
}

// place is where an event is: which response, and which of its events.
type place struct{ response, event int }

func places(w *model.WatchOperation) []place {
	var all []place
	for i, r := range w.Responses {
		for j := range r.Events {
			all = append(all, place{i, j})
		}
	}
	return all
}

func at(w *model.WatchOperation, p place) *model.WatchEvent {
	return &w.Responses[p.response].Events[p.event]
}

func remove(w *model.WatchOperation, p place) {
	r := &w.Responses[p.response]
	r.Events = slices.Delete(r.Events, p.event, p.event+1)
}

// inner corrupts an event that is neither the first nor the last of its watch,
// and the only one of its revision.
func inner(c *Case, corrupt func(w *model.WatchOperation, p place) bool) bool {
	return watches(c, func(w *model.WatchOperation) bool {
		all := places(w)
		for i := 1; i < len(all)-1; i++ {
			rev := at(w, all[i]).Revision
			if at(w, all[i-1]).Revision != rev && at(w, all[i+1]).Revision != rev && corrupt(w, all[i]) {
				return true
			}
		}
		return false
	})
}

func dropEvent(c *Case) bool {
	return inner(c, func(w *model.WatchOperation, p place) bool { remove(w, p); return true })
}

func alterEvent(c *Case) bool {
	return inner(c, func(w *model.WatchOperation, p place) bool {
		e := at(w, p)
		e.Value = model.ToValueOrHash("corrupt")
		return e.Type == model.PutOperation
	})
}

func swapEvents(c *Case) bool {
	return watches(c, func(w *model.WatchOperation) bool {
		all := places(w)
		for i := 1; i < len(all); i++ {
			a, b := at(w, all[i-1]), at(w, all[i])
			if a.Revision != b.Revision {
				*a, *b = *b, *a
				return true
			}
		}
		return false
	})
}

func repeatEvent(c *Case) bool {
	return inner(c, func(w *model.WatchOperation, p place) bool {
		r := &w.Responses[p.response]
		r.Events = slices.Insert(r.Events, p.event, r.Events[p.event])
		return true
	})
}

func splitRevision(c *Case) bool {
	return watches(c, func(w *model.WatchOperation) bool {
		for i, r := range w.Responses {
			for j := 1; j < len(r.Events); j++ {
				if r.Events[j-1].Revision == r.Events[j].Revision {
					rest := r
					rest.Events = slices.Clone(r.Events[j:])
					w.Responses[i].Events = r.Events[:j]
					w.Responses = slices.Insert(w.Responses, i+1, rest)
					return true
				}
			}
		}
		return false
	})
}

func earlyBookmark(c *Case) bool {
	return watches(c, func(w *model.WatchOperation) bool {
		all := places(w)
		if len(all) < 2 || all[1].event != 0 {
			return false
		}
		second := all[1].response
		bookmark := model.WatchResponse{IsProgressNotify: true, Revision: at(w, all[1]).Revision}
		w.Responses = slices.Insert(w.Responses, second, bookmark)
		return true
	})
}

// lyingBookmark takes away the last event before a bookmark, and has the watch end with
// that: what came later would tell of the event, too.
func lyingBookmark(c *Case) bool {
	return watches(c, func(w *model.WatchOperation) bool {
		told := w.Responses
		for len(told) > 0 && !told[len(told)-1].IsProgressNotify {
			told = told[:len(told)-1]
		}
		all := places(&model.WatchOperation{Responses: told})
		if len(all) < 2 {
			return false
		}
		w.Responses = told
		remove(w, all[len(all)-1])
		return true
	})
}

func dropFirstEvent(c *Case) bool {
	return watches(c, func(w *model.WatchOperation) bool {
		all := places(w)
		if w.Request.Revision == 0 || len(all) < 2 || at(w, all[0]).Revision == at(w, all[1]).Revision {
			return false
		}
		remove(w, all[0])
		return true
	})
}

func strayEvent(c *Case) bool {
	return watches(c, func(w *model.WatchOperation) bool {
		all := places(w)
		if w.Request.Key == "" || len(all) == 0 {
			return false
		}
		at(w, all[0]).Key = "elsewhere"
		return true
	})
}

func flipCreate(c *Case) bool {
	return inner(c, func(w *model.WatchOperation, p place) bool {
		e := at(w, p)
		e.IsCreate = !e.IsCreate
		return e.Type == model.PutOperation
	})
}

func wrongPrevValue(c *Case) bool {
	return watches(c, func(w *model.WatchOperation) bool {
		for _, p := range places(w) {
			if e := at(w, p); e.PrevValue != nil {
				e.PrevValue.ModRevision--
				return true
			}
		}
		return false
	})
}

// putInLog is the place in the log of some put alone, in its middle, of which
// clients have been told.
func putInLog(c *Case) int {
	acknowledged := map[string]bool{}
	operations(c, func(op *porcupine.Operation, _ model.EtcdRequest, _ model.MaybeEtcdResponse) bool {
		acknowledged[fmt.Sprint(describePut(op.Input.(model.EtcdRequest)))] = op.Output.(model.MaybeEtcdResponse).Error == ""
		return false
	})
	for i := len(c.Requests) / 2; i < len(c.Requests); i++ {
		if p := describePut(c.Requests[i]); p != nil && acknowledged[fmt.Sprint(p)] {
			return i
		}
	}
	return -1
}

// describePut is what a request puts, if it does nothing else.
func describePut(r model.EtcdRequest) *model.PutOptions {
	if r.Type != model.Txn || len(r.Txn.Conditions) != 0 || len(r.Txn.OperationsOnSuccess) != 1 {
		return nil
	}
	if op := r.Txn.OperationsOnSuccess[0]; op.Type == model.PutOperation && op.Put.LeaseID == 0 {
		return &op.Put
	}
	return nil
}

func loseWrite(c *Case) bool {
	i := putInLog(c)
	if i >= 0 {
		c.Requests = slices.Delete(c.Requests, i, i+1)
	}
	return i >= 0
}

func repeatWrite(c *Case) bool {
	i := putInLog(c)
	if i >= 0 {
		c.Requests = slices.Insert(c.Requests, i, c.Requests[i])
	}
	return i >= 0
}

func inventWrite(c *Case) bool {
	i := putInLog(c)
	if i >= 0 {
		c.Requests = slices.Insert(c.Requests, i, putModel("key0", "invented", 0))
	}
	return i >= 0
}

func swapWrites(c *Case) bool {
	for i := 1; i < len(c.Requests); i++ {
		a, b := describePut(c.Requests[i-1]), describePut(c.Requests[i])
		if a != nil && b != nil {
			c.Requests[i-1], c.Requests[i] = c.Requests[i], c.Requests[i-1]
			return true
		}
	}
	return false
}
