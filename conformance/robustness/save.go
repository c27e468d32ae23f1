package robustness

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/anishathalye/porcupine"
	"go.etcd.io/etcd/tests/v3/robustness/model"
	"go.etcd.io/etcd/tests/v3/robustness/report"
	"go.uber.org/zap"
)

// What Save leaves in its folder beside etcd's own files: client-N with what
// each client asked and saw, traffic.json, and server-zkines with the logs.
const (
	requestsFile = "requests.json" // what took effect, in order
	verdictFile  = "verdict.txt"
	historyFile  = "history.html" // porcupine's drawing
)

// Save writes a case, its verdict and the zkines' logs into a folder, which it
// replaces. Load reads the case back.
func Save(lg *zap.Logger, folder string, c Case, v *Verdict, logs string) error {
	r, err := report.NewTestReport(lg, folder, map[string]string{"zkines": logs},
		&report.TrafficDetail{ExpectUniqueRevision: c.UniqueRevision})
	if err != nil {
		return err
	}
	r.SetClientReports(c.Reports)
	if err := r.SaveEtcdData(); err != nil {
		return err
	}
	requests, err := json.MarshalIndent(c.Requests, "", "  ")
	if err != nil {
		return err
	}
	text := v.String() + "\n"
	if err := v.Error(); err != nil {
		text += err.Error() + "\n"
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, requestsFile), requests, 0o644),
		os.WriteFile(filepath.Join(folder, verdictFile), []byte(text), 0o644),
		draw(filepath.Join(folder, historyFile), v),
	)
}

// draw has porcupine draw the operations, if it came so far. etcd's own Visualize
// draws only what is linearizable.
func draw(file string, v *Verdict) error {
	if v.Linearization.Model.Step == nil {
		return nil
	}
	return porcupine.VisualizePath(v.Linearization.Model, v.Linearization.Info, file)
}

// Load reads what Save wrote.
func Load(folder string) (Case, error) {
	var c Case
	detail, err := report.LoadTrafficDetail(folder)
	if err != nil {
		return c, err
	}
	c.UniqueRevision = detail.ExpectUniqueRevision
	if c.Reports, err = report.LoadClientReports(folder); err != nil {
		return c, err
	}
	data, err := os.ReadFile(filepath.Join(folder, requestsFile))
	if err != nil {
		return c, err
	}
	var requests []model.EtcdRequest
	if err := json.Unmarshal(data, &requests); err != nil {
		return c, err
	}
	c.Requests = requests
	return c, nil
}
