package readlease

import (
	"context"
	"time"
)

// Token is what a read is answered by.
type Token struct {
	id    uint64
	until time.Duration
}

// Begin is where a linearizable read begins. If it returns true, the read may be
// evaluated on a view that is loaded from now on, and counts if Valid then. Else it
// needs a barrier.
func (h *Holder) Begin(ctx context.Context) (Token, bool) {
	if h == nil {
		return Token{}, false
	}
	now := h.Clock()
	t, own, ok := h.begin(now)
	if !ok || h.Connected() != nil {
		return t, false
	}
	if len(own) == 0 {
		return t, true
	}
	timeout := time.NewTimer(t.until - now)
	defer timeout.Stop()
	for _, one := range own {
		select {
		case <-one:
		case <-timeout.C:
			return t, false
		case <-ctx.Done():
			return t, false
		}
	}
	return t, true
}

// begin is Begin without waiting for own batches under way, which it returns:
// others may show them.
func (h *Holder) begin(now time.Duration) (t Token, own []<-chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked(now)
	if now >= h.until {
		return t, nil, false
	}
	for _, s := range h.sent {
		own = append(own, s.done)
	}
	return Token{h.id, h.until}, own, true
}

// asked notes that there was a read, and whether it makes a renewal due. The lock is
// held.
func (h *Holder) asked(now time.Duration) {
	h.reads++
	if now-h.window > Duration {
		h.window, h.windowReads = now, 0
	}
	h.windowReads++
	if h.wanted || now-h.renewed < renewAfter || now < h.others {
		return
	}
	if now < h.until {
		h.wanted = h.reads >= keepReads
	} else if h.windowReads >= h.Reads {
		h.wanted = h.Permitted()
		if !h.wanted {
			h.renewed = now
		}
	}
	if h.wanted {
		h.Wake()
	}
}

// Valid says whether a read that was evaluated after Begin may be answered.
func (h *Holder) Valid(t Token) bool {
	now := h.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.id != h.id || now >= t.until {
		return false
	}
	h.leased++
	return true
}
