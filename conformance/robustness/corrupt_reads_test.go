package robustness

import (
	"slices"

	"github.com/anishathalye/porcupine"
	"go.etcd.io/etcd/tests/v3/robustness/model"
)

// operations yields all operations until one was corrupted.
func operations(c *Case, corrupt func(*porcupine.Operation, model.EtcdRequest, model.MaybeEtcdResponse) bool) bool {
	for i := range c.Reports {
		for j := range c.Reports[i].KeyValue {
			op := &c.Reports[i].KeyValue[j]
			if corrupt(op, op.Input.(model.EtcdRequest), op.Output.(model.MaybeEtcdResponse)) {
				return true
			}
		}
	}
	return false
}

// answered yields operations with an answer.
func answered(c *Case, corrupt func(*porcupine.Operation, model.EtcdRequest, model.MaybeEtcdResponse) bool) bool {
	return operations(c, func(op *porcupine.Operation, in model.EtcdRequest, out model.MaybeEtcdResponse) bool {
		return out.Error == "" && out.ClientError == "" && corrupt(op, in, out)
	})
}

// staleRead gives a late read the answer that an earlier one of the same key had.
func staleRead(c *Case) bool {
	isGet := func(in model.EtcdRequest) bool {
		return in.Type == model.Range && in.Range.Revision == 0 && in.Range.End == ""
	}
	return answered(c, func(early *porcupine.Operation, a model.EtcdRequest, then model.MaybeEtcdResponse) bool {
		return isGet(a) && answered(c, func(late *porcupine.Operation, b model.EtcdRequest, now model.MaybeEtcdResponse) bool {
			if !isGet(b) || b.Range.Start != a.Range.Start || late.Call < early.Return || now.Revision < then.Revision+20 {
				return false
			}
			late.Output = then
			return true
		})
	})
}

func inventedRead(c *Case) bool {
	return answered(c, func(op *porcupine.Operation, in model.EtcdRequest, out model.MaybeEtcdResponse) bool {
		if in.Type != model.Range || in.Range.Revision != 0 || len(out.Range.KVs) == 0 {
			return false
		}
		out.Range.KVs[0].Value = model.ToValueOrHash("corrupt")
		return true
	})
}

func shiftedWrite(c *Case) bool {
	return answered(c, func(op *porcupine.Operation, in model.EtcdRequest, out model.MaybeEtcdResponse) bool {
		if describePut(in) == nil {
			return false
		}
		out.Revision--
		op.Output = out
		return true
	})
}

func failedTxn(c *Case) bool {
	return answered(c, func(op *porcupine.Operation, in model.EtcdRequest, out model.MaybeEtcdResponse) bool {
		if in.Type != model.Txn || len(in.Txn.Conditions) == 0 || out.Txn.Failure {
			return false
		}
		out.Txn.Failure, out.Txn.Results = true, []model.EtcdOperationResult{}
		return true
	})
}

// wrongOldRead alters what a read of a revision saw that was old already.
func wrongOldRead(c *Case) bool {
	return answered(c, func(op *porcupine.Operation, in model.EtcdRequest, out model.MaybeEtcdResponse) bool {
		if in.Type != model.Range || in.Range.Revision == 0 || in.Range.Revision == out.Revision || len(out.Range.KVs) == 0 {
			return false
		}
		out.Range.KVs[0].ModRevision--
		return true
	})
}

// notEmpty forgets that somebody found the store empty.
func notEmpty(c *Case) bool {
	for i := range c.Reports {
		r := &c.Reports[i]
		r.KeyValue = slices.DeleteFunc(r.KeyValue, func(op porcupine.Operation) bool {
			return op.Output.(model.MaybeEtcdResponse).Revision == 1
		})
	}
	return true
}
