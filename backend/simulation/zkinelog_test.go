package simulation

import (
	"errors"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
)

func (l *life) logger() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(notes{l})
	log.SetLevel(logrus.PanicLevel)
	if l.z.w.trace.words {
		log.SetLevel(logrus.DebugLevel)
	}
	log.SetFormatter(&logrus.TextFormatter{DisableTimestamp: true, DisableColors: true})
	return logrus.NewEntry(log)
}

// notes writes what a zkine logs into the trace.
type notes struct{ l *life }

func (n notes) Write(line []byte) (int, error) {
	w := n.l.z.w
	w.trace.note(w.now(), n.l.z.name, "log: "+string(line[:len(line)-1]))
	return len(line), nil
}

// mayStop says whether a zkine was right to stop.
func (w *world) mayStop(l *life, why error) bool {
	if l.harmed {
		return errors.Is(why, revision.ErrCorrupt)
	}
	return w.truth.lostTail && (errors.Is(why, revision.ErrLogLost) || errors.Is(why, revision.ErrHalted) && !w.mute)
}
