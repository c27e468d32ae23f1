package server

import (
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// readinessPeriod is how often Backend.Ready is asked until it is nil. After that
// the backend tells.
const readinessPeriod = 100 * time.Millisecond

// followReadiness is the readiness loop: it asks the backend whether it is
// ready, and makes what depends on that follow.
func (s *Server) followReadiness() {
	ticker := time.NewTicker(readinessPeriod)
	defer ticker.Stop()
	r := readiness{server: s}
	var doubted <-chan struct{}
	for {
		select {
		case <-s.stopping:
			return
		case <-s.attached:
		case <-ticker.C:
		case <-doubted:
			ticker.Reset(readinessPeriod)
		}
		f := s.facade.Load()
		if f == nil {
			continue
		}
		doubted = nil // while the backend is not ready each look at it is a doubt
		if r.observe(f, time.Now()) {
			doubted = f.backend.Doubted()
			ticker.Stop() // an idle process is woken for nothing
		}
	}
}

// readiness is what the loop remembers from one look to the next.
type readiness struct {
	server *Server
	// lostAt is when the backend was first seen not ready, zero if it is.
	lostAt time.Time
	known  bool
}

// observe looks, and says whether the backend is ready.
func (r *readiness) observe(f *facade, now time.Time) (ready bool) {
	err := f.backend.Ready()
	switch {
	case err == nil && (!r.known || !r.lostAt.IsZero()):
		r.lostAt = time.Time{}
		r.gained(f)
		r.server.servesOnce.Do(func() { close(r.server.serves) })
	case err != nil && (!r.known || r.lostAt.IsZero()):
		r.lostAt = now
		r.server.log.WithError(err).Warn("not ready to serve")
		f.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	}
	r.known = true
	// Ending a stream costs its client much more than refusing a call does, so
	// it comes later, as in etcd.
	if err != nil && now.Sub(r.lostAt) >= r.server.cfg.NoLeaderTimeout {
		if ended := r.server.live.endLeaderBound(rpctypes.ErrGRPCNoLeader); ended > 0 {
			r.server.metrics.leaderless.Add(float64(ended))
		}
	}
	return err == nil
}

func (r *readiness) gained(f *facade) {
	f.health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	if !f.accepting.Load() {
		r.server.accept(f)
		f.accepting.Store(true)
		return // who started the server says so, once Serves is closed
	}
	r.server.log.Info("ready to serve") // last: what it says is true by now
}
