package undelete

import (
	"bytes"
	"iter"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Keys are keys with their values, in order. It stops after the first error.
type Keys = iter.Seq2[*mvccpb.KeyValue, error]

// State is what became of a key that was there.
type State string

// The states.
const (
	// Missing: it is not there any more.
	Missing State = "missing"
	// Differs: it is there with another value.
	Differs State = "differs"
	// Same: it is there with the same value.
	Same State = "same"
)

// pair is a key as it was and as it is; one of them may be nil.
type pair struct{ then, now *mvccpb.KeyValue }

func (p pair) state() State {
	switch {
	case p.now == nil:
		return Missing
	case bytes.Equal(p.then.Value, p.now.Value):
		return Same
	}
	return Differs
}

// merge yields each key that is in one of both, once.
func merge(then, now Keys) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		a, stopThen := iter.Pull2(then)
		defer stopThen()
		b, stopNow := iter.Pull2(now)
		defer stopNow()
		x, errX, moreX := a()
		y, errY, moreY := b()
		for moreX || moreY {
			for _, err := range []error{errX, errY} {
				if err != nil {
					yield(pair{}, err)
					return
				}
			}
			order := 0
			switch {
			case !moreX:
				order = 1
			case !moreY:
				order = -1
			default:
				order = bytes.Compare(x.Key, y.Key)
			}
			var p pair
			if order <= 0 {
				p.then = x
				x, errX, moreX = a()
			}
			if order >= 0 {
				p.now = y
				y, errY, moreY = b()
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}
