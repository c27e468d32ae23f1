package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/server/v3rpc"
)

// healthCheck is one line of /livez or /readyz. The names and the texts around
// them are etcd's.
type healthCheck struct {
	name string
	run  func(context.Context) error
}

// probeTimeout bounds the reads of a probe, so that it answers within a second
// whatever happens: a probe of /readyz wants to know how things are, and not to
// wait until they are better.
const probeTimeout = 900 * time.Millisecond

var errNotAccepting = errors.New("zkine does not serve clients yet")

var errStarting = errors.New("zkine is starting: the state is not loaded from ZooKeeper yet")

// starting is errStarting with how far that has come.
func (s *Server) starting() error {
	if s.cfg.StartupStep == nil || s.facade.Load() != nil {
		return errStarting
	}
	return fmt.Errorf("%w: %s", errStarting, s.cfg.StartupStep())
}

// handleHealth installs /health, and /livez and /readyz with a path for each
// of their checks.
func (s *Server) handleHealth(mux *http.ServeMux) {
	mux.HandleFunc("/health", getOnly(s.serveHealth))
	s.handleChecks(mux, "livez", []healthCheck{
		{"serializable_read", s.checkAlive},
	})
	s.handleChecks(mux, "readyz", []healthCheck{
		{"backend", s.checkServing},
		{"data_corruption", s.checkCorruption},
		{"serializable_read", s.checkSerializable},
		{"linearizable_read", s.checkLinearizable},
		{"non_learner", func(context.Context) error { return nil }},
	})
}

// checkAlive fails only for what a restart can mend. A zkine that starts, or
// that waits for ZooKeeper, is alive.
func (s *Server) checkAlive(ctx context.Context) error {
	if f := s.facade.Load(); f == nil || !f.accepting.Load() {
		return nil
	}
	return s.checkSerializable(ctx)
}

// Alive fails only for what a restart can mend, as /livez does. It does not return
// while the state cannot be read.
func (s *Server) Alive() error { return s.checkAlive(context.Background()) }

// checkBackend says why clients are not served, without asking ZooKeeper.
func (s *Server) checkBackend(context.Context) error {
	select {
	case <-s.stopping:
		return errors.New("zkine is stopping")
	default:
	}
	f := s.facade.Load()
	if f == nil {
		return s.starting()
	}
	if err := f.backend.Ready(); err != nil {
		return err
	}
	if !f.accepting.Load() {
		return errNotAccepting
	}
	return nil
}

func (s *Server) checkCorruption(context.Context) error {
	f := s.facade.Load()
	if f == nil {
		return s.starting()
	}
	for _, a := range f.backend.Alarms() {
		if a.Alarm == pb.AlarmType_CORRUPT {
			return fmt.Errorf("alarm activated: %s", a.Alarm)
		}
	}
	return nil
}

// checkAlarms fails with the first alarm whose name is not excluded.
func checkAlarms(alarms []*pb.AlarmMember, excluded []string) error {
	for _, a := range alarms {
		switch name, known := pb.AlarmType_name[int32(a.Alarm)]; {
		case slices.Contains(excluded, a.Alarm.String()):
		case known:
			return errors.New("ALARM " + name)
		default:
			return errors.New("ALARM UNKNOWN")
		}
	}
	return nil
}

// notice is what a check has to say though it passes: what is wrong is nothing
// that another zkine, or a restart, would do better.
type notice struct{ error }

// checkServing is checkBackend, and notices when ZooKeeper refuses writes: for a
// quota, say. As with the alarm NOSPACE, reads and watches are served, and
// /health is what fails.
func (s *Server) checkServing(ctx context.Context) error {
	if err := s.checkBackend(ctx); err != nil {
		return err
	}
	if err := s.writesRefused(); err != nil {
		return notice{err}
	}
	return nil
}

func (s *Server) writesRefused() error {
	if f := s.facade.Load(); f != nil {
		return f.backend.Status().Refused
	}
	return nil
}

// checkSerializable reads from memory.
func (s *Server) checkSerializable(ctx context.Context) error {
	f := s.facade.Load()
	if f == nil {
		return s.starting()
	}
	return v3rpc.ToGRPC(ctx, f.backend.ProbeSerializable())
}

// checkLinearizable reads behind a barrier, and does not wait for what Ready says
// will not come.
func (s *Server) checkLinearizable(ctx context.Context) error {
	if err := s.checkBackend(ctx); err != nil {
		return err
	}
	f := s.facade.Load()
	ctx, cancel := whileServed(ctx, f.backend)
	defer cancel()
	return v3rpc.ToGRPC(ctx, f.backend.ProbeLinearizable(ctx))
}

// whileServed is a context that ends, with the reason, once clients are not
// served any more: what it waits for will not come soon. The backend is not asked
// any more when end has returned.
func whileServed(parent context.Context, b Backend) (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var asking sync.WaitGroup
	asking.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := b.Ready(); err != nil {
				cancel(v3rpc.NotServing(err))
				return
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		asking.Wait()
	}
}

// serveHealth answers as etcd's /health does, with ?serializable=true and
// ?exclude=NOSPACE.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), probeTimeout, v3rpc.ErrRequestTimeout)
	defer cancel()
	answer := struct {
		Health string `json:"health"`
		Reason string `json:"reason"`
	}{Health: "true"}
	if err := s.health(ctx, r); err != nil {
		s.metrics.healthBad.Inc()
		answer.Health, answer.Reason = "false", err.Error()
		http.Error(w, encodeJSON(answer), http.StatusServiceUnavailable)
		return
	}
	s.metrics.healthGood.Inc()
	fmt.Fprint(w, encodeJSON(answer))
}

func (s *Server) health(ctx context.Context, r *http.Request) error {
	serializable := r.URL.Query().Get("serializable") == "true"
	f := s.facade.Load()
	if f == nil || !f.accepting.Load() {
		return s.starting()
	}
	if err := checkAlarms(f.backend.Alarms(), r.URL.Query()["exclude"]); err != nil {
		return err
	}
	if err := s.writesRefused(); err != nil && !serializable {
		return fmt.Errorf("ZOOKEEPER REFUSES WRITES: %w", err)
	}
	if err := s.checkBackend(ctx); err != nil && !serializable {
		return fmt.Errorf("RAFT NO LEADER: %w", err)
	}
	read := s.checkLinearizable
	if serializable {
		read = s.checkSerializable
	}
	if err := read(ctx); err != nil {
		return fmt.Errorf("RANGE ERROR:%w", err)
	}
	return nil
}

// handleChecks installs a group of checks under /group, and each under
// /group/name.
func (s *Server) handleChecks(mux *http.ServeMux, group string, checks []healthCheck) {
	mux.HandleFunc("/"+group, getOnly(func(w http.ResponseWriter, r *http.Request) {
		excluded := r.URL.Query()["exclude"]
		asked := slices.DeleteFunc(slices.Clone(checks), func(c healthCheck) bool { return slices.Contains(excluded, c.name) })
		s.serveChecks(w, r, group, asked)
	}))
	for _, c := range checks {
		mux.HandleFunc("/"+group+"/"+c.name, getOnly(func(w http.ResponseWriter, r *http.Request) {
			s.serveChecks(w, r, group, []healthCheck{c})
		}))
	}
}

// serveChecks runs checks. The reasons are shown when one fails, or with
// ?verbose.
func (s *Server) serveChecks(w http.ResponseWriter, r *http.Request, group string, checks []healthCheck) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), probeTimeout, v3rpc.ErrRequestTimeout)
	defer cancel()
	var report strings.Builder
	failed, noticed := false, false
	for _, c := range checks {
		err := c.run(ctx)
		var n notice
		if errors.As(err, &n) {
			noticed, err = true, nil
			fmt.Fprintf(&report, "[+]%s ok, but: %v\n", c.name, n.error)
		} else if err != nil {
			failed = true
			fmt.Fprintf(&report, "[-]%s failed: %v\n", c.name, err)
		} else {
			fmt.Fprintf(&report, "[+]%s ok\n", c.name)
		}
		s.metrics.countCheck(group, c.name, err == nil)
	}
	if failed {
		http.Error(w, report.String(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if noticed || r.URL.Query().Has("verbose") {
		fmt.Fprint(w, report.String())
	}
	fmt.Fprint(w, "ok\n")
}
