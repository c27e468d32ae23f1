package state

import (
	"slices"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Agreement is one round in which the members compare their states: a mark in
// the log, and what each has reported as the digest of its state there.
type Agreement struct {
	// At is the slot that held the mark; the zero Seq before the first.
	At revision.Seq
	// Reports are in the order of the log, one a member. Shared: do not change.
	Reports []Report
}

// Report is what a member says its state's digest was.
type Report struct {
	Member uint64
	Digest uint64
}

// Agreement is the latest round.
func (v *View) Agreement() Agreement { return v.store.agreement }

// Verdict says whether the reports agree, and, if they do not, which digest
// more than half of the reporting members have; none if there is no majority.
func (a Agreement) Verdict() (agree bool, majority uint64, found bool) {
	votes := map[uint64]int{}
	for _, r := range a.Reports {
		votes[r.Digest]++
	}
	for digest, n := range votes {
		if 2*n > len(a.Reports) {
			majority, found = digest, true
		}
	}
	return len(votes) <= 1, majority, found
}

// digestMark begins a round. The digest is that of the state after the whole
// slot, which is what the view published for the slot shows.
func (m *Machine) digestMark(r *recordpb.DigestMark) *recordpb.DigestMark {
	m.agreement = Agreement{At: m.seq}
	return r
}

func (m *Machine) digestReport(r *recordpb.DigestReport) *recordpb.DigestReport {
	a := m.agreement
	if (revision.Seq{Segment: r.Segment, Slot: r.Slot}) != a.At {
		return r // of an earlier round
	}
	for _, other := range a.Reports {
		if other.Member == r.MemberId {
			return r // the first one counts
		}
	}
	// Views share the slice: it is copied, never grown in place.
	m.agreement.Reports = slices.Concat(a.Reports, []Report{{r.MemberId, r.Digest}})
	return r
}
