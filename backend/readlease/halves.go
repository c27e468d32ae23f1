package readlease

import (
	"context"

	"github.com/zkine/zkine/revision"
)

// halves makes a Taker of a source that has Next alone. One goroutine calls its
// methods.
type halves struct {
	source Source
	slot   *revision.Slot
}

func (h *halves) Await(ctx context.Context) error {
	if h.slot != nil {
		return nil
	}
	slot, err := h.source.Next(ctx)
	if err == nil {
		h.slot = &slot
	}
	return err
}

func (h *halves) Take() (revision.Slot, bool) {
	if h.slot == nil {
		return revision.Slot{}, false
	}
	slot := *h.slot
	h.slot = nil
	return slot, true
}

func (h *halves) TakeOwn(nonce revision.Nonce) (revision.Slot, bool) {
	if h.slot == nil || h.slot.Nonce != nonce {
		return revision.Slot{}, false
	}
	return h.Take()
}
