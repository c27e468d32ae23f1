package doctor

import (
	"context"
	"fmt"
	"strconv"

	"github.com/zkine/zkine/revision/bytesize"
)

// disk looks whether old files are removed, and where the log is.
func disk(_ context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		found := []Finding{p.purge(s)}
		if data, log := s.value("conf", "dataDir"), s.value("conf", "dataLogDir"); data != "" && data == log {
			found = append(found, Finding{Level: Advice, Thing: s.String(), What: "its log is in the folder of its snapshots",
				Why: "each write waits for an fsync of the log, which a snapshot that is written beside it slows down", Remedy: "dataLogDir on a disk of its own"})
		}
		if slow, told := s.number("mntr", "zk_max_snapshottime"); told && slow >= slowSnapshot {
			found = append(found, Finding{Level: Advice, Thing: s.String(), What: fmt.Sprintf("it took %.1f s to write a snapshot", slow/1000),
				Why: "a new leader writes one before it takes followers, so that an election takes longer by that", Remedy: "a faster disk for dataDir, and a smaller --quota-backend-bytes"})
		}
		return found
	})
}

// slowSnapshot is the time in ms from which a snapshot is told.
const slowSnapshot = 5000

// purge looks whether a server removes old snapshots and logs. Where its settings are
// not told, its folders' sizes tell when it is late.
func (p *patient) purge(s *server) Finding {
	f := Finding{Level: Problem, Thing: s.String(), What: "it keeps every snapshot and log file",
		Why: "the disk fills, and a server without room stops", Remedy: "autopurge.purgeInterval=1 and autopurge.snapRetainCount=3 in zoo.cfg"}
	interval, source, known := p.setting(s, "autopurge.purgeInterval")
	data, _ := s.number("conf", "dataDirSize")
	log, told := s.number("conf", "dataLogSize")
	if s.value("conf", "dataDir") != s.value("conf", "dataLogDir") {
		log += data
	}
	holds, _ := s.number("mntr", "zk_approximate_data_size")
	switch hours, err := strconv.Atoi(interval); {
	case known && (err != nil || hours <= 0):
		f.What += ", by " + source + ": autopurge.purgeInterval is not set, or 0"
		return f
	case known:
		return ok(s.String(), "it removes old snapshots and log files every %d h, by %s", hours, source)
	case told && hoards(int64(log), int64(holds)):
		f.What = fmt.Sprintf("its files take %s, and what it holds %s: it seems to keep every snapshot and log file", bytesize.Text(int64(log)), bytesize.Text(int64(holds)))
		return f
	}
	unsettled := p.unsettled(s, "whether it removes old snapshots and log files")
	if told {
		unsettled.What += fmt.Sprintf("; its files take %s, which is not too much for what it holds", bytesize.Text(int64(log)))
	}
	return unsettled
}

// hoards says whether files take so much, in bytes, that three snapshots and the logs
// since the first of them do not explain it.
func hoards(files, holds int64) bool { return files > 16<<30+20*holds }
