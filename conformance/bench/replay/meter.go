package replay

import (
	"sync"
	"time"

	"github.com/zkine/zkine/conformance/bench/load"
)

// meter takes what a phase costs and how long its requests take. It is safe for concurrent use; before the first phase
// nothing counts. A request counts for the phase in which its answer comes.
type meter struct {
	servers []int

	mu     sync.Mutex
	phases []Phase // those that are over, and then the one that runs
	runs   bool
	began  time.Time
	before load.Usage
	// Of the phase that runs.
	updates, gets []time.Duration
	others        int64
}

func newMeter(servers []int) *meter { return &meter{servers: servers} }

// start ends the phase that runs and begins another one.
func (m *meter) start(name string) error {
	if err := m.stop(); err != nil {
		return err
	}
	before, err := load.Burned(m.servers)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phases, m.runs = append(m.phases, Phase{Name: name}), true
	m.began, m.before = time.Now(), before
	m.updates, m.gets, m.others = nil, nil, 0
	return err
}

// stop ends the phase that runs.
func (m *meter) stop() error {
	after, err := load.Burned(m.servers)
	if err != nil {
		return err
	}
	memory, err := load.Resident(m.servers)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.runs {
		return nil
	}
	m.runs = false
	r := &m.phases[len(m.phases)-1].Result
	r.Seconds = time.Since(m.began).Seconds()
	r.Ops = int64(len(m.updates)) + int64(len(m.gets)) + m.others
	r.Latency, r.Reads = load.Summarize(m.updates), load.Summarize(m.gets)
	r.Memory = memory
	r.ServerCPU, r.ClientCPU = after.Servers-m.before.Servers, after.Self-m.before.Self
	r.OthersCPU = max(0, after.Whole-m.before.Whole-r.ServerCPU-r.ClientCPU)
	return nil
}

func (m *meter) update(took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updates = append(m.updates, took)
}

func (m *meter) get(took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets = append(m.gets, took)
}

func (m *meter) other() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.others++
}
