package simulation

import (
	"fmt"

	"github.com/zkine/zkine/revision"
)

// checkAppends compares what the log told zkines about their batches with what
// is in it. It finds what clients rarely do: to be told something wrong, a client
// has to wait long, and its zkine has to live.
func checkAppends(r *replayed, _ *history) (wrong []string) {
	nonces := map[revision.Seq]revision.Nonce{}
	for _, e := range r.entries {
		nonces[e.seq] = e.slot.Nonce
	}
	for _, e := range r.entries {
		switch a := e.by; {
		case a == nil:
			wrong = append(wrong, fmt.Sprintf("no zkine appended the slot at %v", e.seq))
		case a.refused != nil:
			wrong = append(wrong, fmt.Sprintf("%s was told that the slot at %v is not in the log: %v", a.who.z.name, e.seq, a.refused))
		case a.at != (revision.Seq{}) && nonces[a.at] != e.slot.Nonce:
			wrong = append(wrong, fmt.Sprintf("%s was told that the slot at %v is at %v", a.who.z.name, e.seq, a.at))
		}
	}
	return wrong
}
