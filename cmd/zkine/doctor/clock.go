package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// Clocks decide nothing in zkine's log, and so little is asked of them.
const (
	clocksApart    = 2 * time.Second
	clocksFarApart = time.Minute
	// clockSlots are looked at to compare members' clocks with ZooKeeper's.
	clockSlots = 64
)

const whyClocks = "times in zkine history, zkine log and the archive, by which zkine restore --to-time goes back, and of certificates are these clocks'"

// clock compares clocks: the leader's, by the time of a write; other servers', by their
// admin servers; members', by what they noted in the log beside ZooKeeper's own time.
func clock(ctx context.Context, p *patient) (found []Finding) {
	w := p.scratched(ctx)
	if w.err != nil {
		found = append(found, notWritten(w))
	} else {
		found = append(found, judgeClock("ZooKeeper's leader", w.ahead, w.within))
	}
	for _, s := range p.servers {
		if s.admin.timed {
			found = append(found, judgeClock(s.String(), s.admin.ahead, time.Second))
		}
	}
	return append(found, p.memberClocks(ctx)...)
}

// judgeClock judges a clock that is ahead of another one, give or take within.
func judgeClock(thing string, ahead, within time.Duration) Finding {
	apart := max(ahead, -ahead) - within
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	f := Finding{Level: Advice, Thing: thing, What: fmt.Sprintf("its clock is %v %s this machine's", max(ahead, -ahead).Round(100*time.Millisecond), way),
		Why: whyClocks, Remedy: "have all machines keep their clocks by NTP"}
	switch {
	case apart >= clocksFarApart:
		f.Level = Problem
	case apart < clocksApart:
		return ok(thing, "its clock agrees with this machine's to %v", (max(ahead, -ahead) + within).Round(time.Millisecond))
	}
	return f
}

// memberClocks compares the members' clocks with that of ZooKeeper's leader, by the
// newest slots of the log. The time that a write waits for ZooKeeper is in it.
func (p *patient) memberClocks(ctx context.Context) (found []Finding) {
	if p.rootErr != nil {
		return nil
	}
	reader := zkroot.NewReader(p.session, zkroot.Layout{Root: p.cfg.Root})
	least := map[string]time.Duration{}
	var names []string
	err := newestSlots(ctx, reader, p.session, p.cfg.Root, clockSlots, func(s *zkroot.StoredSlot) {
		if s.Slot.Origin == nil || s.Made.IsZero() {
			return
		}
		ahead := time.UnixMilli(s.Slot.Origin.Written).Sub(s.Made)
		before, seen := least[s.Slot.Origin.Writer]
		if !seen {
			names = append(names, s.Slot.Origin.Writer)
		}
		if !seen || max(ahead, -ahead) < max(before, -before) {
			least[s.Slot.Origin.Writer] = ahead
		}
	})
	if err != nil {
		return []Finding{unknown("the members", "their clocks could not be looked at: %s", plainly(err))}
	}
	for _, name := range names {
		f := judgeClock("member "+name, least[name], 0)
		if f.Level != OK {
			f.What += ", as ZooKeeper's leader has it"
		} else {
			f.What = fmt.Sprintf("its clock agrees with that of ZooKeeper's leader to %v", max(least[name], -least[name]))
		}
		found = append(found, f)
	}
	return found
}

// newestSlots hands over the last slots of the open segment that are znodes of their
// own, at most so many.
func newestSlots(ctx context.Context, reader zkroot.Reader, conn zkroot.Nodes, root string, most int64, f func(*zkroot.StoredSlot)) error {
	open, err := reader.Open(ctx)
	if err != nil {
		return err
	}
	stat, err := conn.Exists(ctx, zkroot.Layout{Root: root}.Segment(open.Name))
	if err != nil {
		return err
	}
	end := int64(stat.Version)
	for slot := max(0, end-most); slot < end; slot++ {
		s, err := reader.Slot(ctx, open, revision.Seq{Segment: open.Number, Slot: slot})
		if err != nil {
			return err
		}
		f(s)
	}
	return nil
}
