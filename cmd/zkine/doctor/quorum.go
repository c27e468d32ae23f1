package doctor

import (
	"context"
	"fmt"
	"time"
)

// Bounds of what a write may take. etcd's own advice is that an fsync should take less
// than 10 ms for 99 of 100.
const (
	slowWrite, verySlowWrite = 10 * time.Millisecond, 50 * time.Millisecond   // half of them
	slowTail, verySlowTail   = 100 * time.Millisecond, 500 * time.Millisecond // 99 of 100
	slowFsync, verySlowFsync = 10, 50                                         // ms, on average
)

// quorum tells how long a write takes.
func quorum(ctx context.Context, p *patient) []Finding {
	w := p.scratched(ctx)
	if w.err != nil {
		return []Finding{notWritten(w)}
	}
	return []Finding{judgeWrites(w.writes, share(w.reads, 50))}
}

// judgeWrites judges how long writes took, in order of size, by what a client of zkine's
// has of them: half, and 99 of 100. The slowest is told: one of some hundreds is chance.
func judgeWrites(writes []time.Duration, read time.Duration) Finding {
	half, most := share(writes, 50), writes[len(writes)-1]
	tail, told := time.Duration(0), fmt.Sprintf("%d writes one after the other: half within %s", len(writes), milliseconds(half))
	if len(writes) >= tailWrites { // else 99 of 100 would be all
		tail = share(writes, 99)
		told += ", 99 of 100 within " + milliseconds(tail)
	}
	told += fmt.Sprintf(", the slowest %s; a read takes %s", milliseconds(most), milliseconds(read))
	f := Finding{What: told, Why: fmt.Sprintf("each write of a client waits for one of these: a client alone makes %.0f a second", 1/half.Seconds()),
		Remedy: "give dataLogDir a fast disk of its own on each server, and bring the servers near to each other; see the check fsync"}
	switch {
	case half >= verySlowWrite || tail >= verySlowTail:
		f.Level = Problem
	case half >= slowWrite || tail >= slowTail:
		f.Level = Advice
	default:
		return ok("", "%s", told)
	}
	return f
}

func notWritten(w *writes) Finding {
	return unknown("", "it could not be looked at: a scratch znode cannot be written: %s", plainly(w.err))
}

// fsync looks whether the servers have their log on disk before they acknowledge, and
// how long that takes. It is mntr that tells: the metric counts only what was forced.
func fsync(ctx context.Context, p *patient) []Finding {
	w := p.scratched(ctx)
	if w.err != nil {
		return []Finding{notWritten(w)}
	}
	return p.each(func(s *server) []Finding {
		if !s.votes() {
			if s.mode() == "" {
				return []Finding{s.silence("srvr")}
			}
			return nil
		}
		made, told := w.fsyncs[s.String()]
		if !told {
			return []Finding{s.silence("mntr")}
		}
		return []Finding{judgeFsync(s.String(), made)}
	})
}

// judgeFsync judges the fsyncs that a server made while some writes were made.
func judgeFsync(thing string, made fsyncs) Finding {
	if made.count == 0 {
		return Finding{Level: Problem, Thing: thing, What: "it acknowledges writes that are not on its disk: it made no fsync for any of the doctor's writes",
			Why: "when the servers lose their power together, writes are gone that clients were told are safe", Remedy: "leave forceSync out of zoo.cfg and out of its Java properties: its default is yes"}
	}
	average := made.sum / made.count
	f := Finding{Thing: thing, What: fmt.Sprintf("%.0f fsyncs of its log took %.1f ms on average; the slowest since its start took %.0f ms", made.count, average, made.most),
		Why: "each write waits for it on a majority of the servers", Remedy: "give dataLogDir a fast disk of its own"}
	switch {
	case average >= verySlowFsync:
		f.Level = Problem
	case average >= slowFsync:
		f.Level = Advice
	default:
		f.Level, f.Why, f.Remedy = OK, "", ""
	}
	return f
}
