package robustness

import (
	"errors"
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
	"go.etcd.io/etcd/tests/v3/robustness/model"
	"go.etcd.io/etcd/tests/v3/robustness/report"
	"go.etcd.io/etcd/tests/v3/robustness/validate"
	"go.uber.org/zap"
)

// Case is all that a verdict rests on.
type Case struct {
	// Reports are what clients asked and saw.
	Reports []report.ClientReport
	// Requests are what took effect, in order, as the log has it.
	Requests []model.EtcdRequest
	// UniqueRevision says that no request of the traffic changes two keys.
	UniqueRevision bool
}

// Counts is what there was to be judged.
type Counts struct {
	Clients int
	// Acknowledged operations have an answer, Unclear ones an error: they may
	// have taken effect or not.
	Acknowledged, Unclear int
	// OldReads were answered from an old revision.
	OldReads int
	Watches  int
	Events   int
	// Bookmarks are progress notifications.
	Bookmarks int
	// Requests took effect.
	Requests int
}

// Verdict is what the judges say: etcd's, and the witness.
type Verdict struct {
	validate.RobustnessResult
	Counts
	// Witness is what CheckWitness says.
	Witness error
	// Undecided says that porcupine found in time neither an order of the
	// operations nor that there is none. With the witness's word that there is
	// one, watches are judged all the same.
	Undecided bool
	// Took is how long they thought.
	Took time.Duration
	// Panic is what a judge threw up its hands with: etcd's do so for an event
	// at a revision that no request leads to.
	Panic error
}

// Judge has a case judged. Not by two goroutines at once: the model keeps its
// deadline in a global variable.
func Judge(lg *zap.Logger, c Case, timeout time.Duration) (v Verdict) {
	v.Counts = c.count()
	start := time.Now()
	defer func() {
		v.Took = time.Since(start)
		if r := recover(); r != nil {
			v.Panic = fmt.Errorf("a judge panicked: %v", r)
		}
	}()
	cfg := validate.Config{ExpectRevisionUnique: c.UniqueRevision}
	v.RobustnessResult = validate.ValidateAndReturnVisualize(lg, cfg, c.Reports, c.Requests, timeout)
	if len(c.Requests) > 0 {
		v.Witness = CheckWitness(c)
	}
	status := v.Linearization.Status
	v.Undecided = status == validate.Timeout || status == validate.DeadlineExceeded
	if v.Undecided && v.Witness == nil {
		v.Watch = validate.ValidateAndReturnVisualize(lg, cfg, watchesOnly(c.Reports), c.Requests, 0).Watch
	}
	return v
}

// watchesOnly are reports without operations but one, which etcd's code asks
// for: the read that found the store empty.
func watchesOnly(reports []report.ClientReport) []report.ClientReport {
	var out []report.ClientReport
	found := false
	for _, r := range reports {
		var first []porcupine.Operation
		for _, op := range r.KeyValue {
			request := op.Input.(model.EtcdRequest)
			if !found && request.IsRead() && op.Output.(model.MaybeEtcdResponse).Revision == 1 {
				first, found = append(first, op), true
			}
		}
		out = append(out, report.ClientReport{ClientID: r.ClientID, KeyValue: first, Watch: r.Watch})
	}
	return out
}

func (c *Case) count() Counts {
	n := Counts{Clients: len(c.Reports), Requests: len(c.Requests)}
	for _, r := range c.Reports {
		for _, op := range r.KeyValue {
			request, response := op.Input.(model.EtcdRequest), op.Output.(model.MaybeEtcdResponse)
			if response.Error != "" {
				n.Unclear++
				continue
			}
			n.Acknowledged++
			if request.Type == model.Range && request.Range.Revision != 0 {
				n.OldReads++
			}
		}
		n.Watches += len(r.Watch)
		n.Events += r.WatchEventCount()
		for _, w := range r.Watch {
			for _, resp := range w.Responses {
				if resp.IsProgressNotify {
					n.Bookmarks++
				}
			}
		}
	}
	return n
}

// Error is nil if every judge heard the case and found nothing. That a judge
// says nothing, or had nothing to judge, is an error too.
func (v *Verdict) Error() error {
	if v.Panic != nil {
		return v.Panic
	}
	var errs []error
	if v.Witness != nil {
		errs = append(errs, fmt.Errorf("witness: %w", v.Witness))
	}
	for _, judge := range []struct {
		name    string
		result  validate.Result
		excused bool // by the witness, who knows that too
	}{
		{"assumptions", v.Assumptions, false},
		{"linearization", v.Linearization.Result, v.Undecided && v.Witness == nil},
		{"watch", v.Watch, false},
		{"serializable", v.Serializable, v.Undecided && v.Witness == nil},
	} {
		switch err := judge.result.Error(); {
		case judge.excused, judge.result.Status == validate.Success:
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", judge.name, err))
		default:
			errs = append(errs, fmt.Errorf("%s: not judged", judge.name))
		}
	}
	for _, matter := range []struct {
		name string
		n    int
	}{
		{"acknowledged operations", v.Acknowledged}, {"requests in the log", v.Requests},
		{"watches", v.Watches}, {"events", v.Events}, {"bookmarks", v.Bookmarks},
	} {
		if matter.n == 0 {
			errs = append(errs, fmt.Errorf("there were no %s to be judged", matter.name))
		}
	}
	return errors.Join(errs...)
}

func (v *Verdict) String() string {
	undecided := ""
	if v.Undecided {
		undecided = "; porcupine DID NOT DECIDE in time whether there is an order of operations, the log is the witness"
	}
	return fmt.Sprintf("%d clients, %d operations acknowledged and %d unclear, %d reads of old revisions, "+
		"%d watches with %d events and %d bookmarks, %d requests in the log; judged in %v%s",
		v.Clients, v.Acknowledged, v.Unclear, v.OldReads, v.Watches, v.Events, v.Bookmarks, v.Requests,
		v.Took.Round(time.Millisecond), undecided)
}
