package embedded

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/throttle"
)

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
	// healthy is how long a child has to live for its death not to count as a failed start.
	healthy = 10 * time.Second
)

// Server is a supervised ZooKeeper. Only the supervise goroutine starts children; current changes there alone.
type Server struct {
	cfg  Config
	log  *logFile
	lock *os.File

	stop chan struct{} // closed by Stop: end it in peace
	kill chan struct{} // closed by Kill, or when Stop's context ends: end it now
	done chan struct{} // closed when supervise has returned and nothing is left
	died chan struct{} // closed when a child has died, unless a larger heap may help
	once struct{ stop, kill, died sync.Once }

	mu      sync.Mutex
	current *process // the newest child, alive or not
}

// Start starts a ZooKeeper and, unless it is a member of an ensemble, waits until it serves; members need each
// other, so start them all and then wait for Ready. The context bounds the start only.
// Unless the server is open, it makes the data folder this user's alone, and a secret if there is none. The ACLs of
// znodes are the caller's.
// Errors: those of Find, ErrFolder, ErrInUse, ErrPortInUse, ErrExited, the context's.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, folderError(err)
	}
	if !cfg.Open {
		if err := cfg.closeFolder(); err != nil {
			return nil, err
		}
	}
	held, err := lock(ctx, cfg.DataDir, cfg.path("lock"))
	if err != nil {
		return nil, err
	}
	s, err := launch(cfg, held)
	if err != nil {
		held.Close()
		return nil, err
	}
	if cfg.Ensemble != nil {
		return s, nil
	}
	if err := s.await(ctx, s.died); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

func folderError(err error) error { return fmt.Errorf("%w: %w", ErrFolder, err) }

// launch starts the first child and its supervisor. The server closes held at its end.
func launch(cfg Config, held *os.File) (*Server, error) {
	var err error
	if !cfg.Open {
		if cfg.secret, err = cfg.readSecret(); err != nil {
			return nil, err
		}
	}
	if cfg.ClientPort == 0 {
		if cfg.ClientPort, err = keptPort(cfg.path(portFile)); err != nil {
			return nil, err
		}
	} else if cfg.Host == loopback && !free(cfg.ClientPort) {
		return nil, fmt.Errorf("%w: %s", ErrPortInUse, address(loopback, cfg.ClientPort))
	}
	if err := cfg.write(); err != nil {
		return nil, folderError(err)
	}
	out, err := openLogFile(cfg.LogFile)
	if err != nil {
		return nil, folderError(err)
	}
	s := &Server{
		cfg: cfg, log: out, lock: held,
		stop: make(chan struct{}), kill: make(chan struct{}), done: make(chan struct{}), died: make(chan struct{}),
	}
	if s.current, err = s.spawn(cfg.Heap); err != nil {
		out.close()
		return nil, err
	}
	go s.supervise(s.current)
	return s, nil
}

// Addr is the server's address, host:port. It stays for the server's life.
func (s *Server) Addr() string { return address(s.cfg.Host, s.cfg.ClientPort) }

// Distribution is what runs.
func (s *Server) Distribution() *Distribution { return s.cfg.Distribution }

// DataDir is the folder that the server owns, as an absolute path.
func (s *Server) DataDir() string { return s.cfg.DataDir }

// Pid is the newest child's process id; it may be dead already.
func (s *Server) Pid() int { return s.child().pid() }

// LogTail returns up to n of the last lines that the server printed (some 16 KiB are kept).
func (s *Server) LogTail(n int) string { return s.log.last(n) }

// Done is closed when the server is gone for good: after Stop or Kill.
func (s *Server) Done() <-chan struct{} { return s.done }

// Signal sends a signal to the newest child: SIGSTOP and SIGCONT for tests.
func (s *Server) Signal(sig os.Signal) { s.child().signal(sig) }

func (s *Server) child() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Stop asks the server to end (SIGTERM) and waits; when the context ends first, it kills it. When Stop returns, no
// process is left. It returns the context's error if it had to kill. Further calls wait and return nil.
func (s *Server) Stop(ctx context.Context) error {
	s.once.stop.Do(func() { close(s.stop) })
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-s.done: // both were true
		return nil
	default:
	}
	s.Kill()
	return fmt.Errorf("ZooKeeper did not end in time and was killed: %w", context.Cause(ctx))
}

// Kill kills the server (SIGKILL) without a warning, and waits until it is gone.
func (s *Server) Kill() {
	s.once.kill.Do(func() { close(s.kill) })
	<-s.done
}

// spawn starts a child.
func (s *Server) spawn(heap int64) (*process, error) {
	cmd := exec.Command(s.cfg.Distribution.Java, s.cfg.args(heap)...)
	cmd.Dir = s.cfg.DataDir
	if !s.cfg.Plain {
		cmd.Env = append(os.Environ(), environment...)
	}
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = childAttr()
	cmd.ExtraFiles = []*os.File{s.lock}
	p, err := startProcess(cmd, heap, s.cfg)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.cfg.Distribution.Java, err)
	}
	s.logger(p).Info("Started ZooKeeper")
	return p, nil
}

func (s *Server) logger(p *process) logrus.FieldLogger {
	return s.cfg.Logger.WithFields(logrus.Fields{
		"addr": s.Addr(), "pid": p.pid(), "version": s.cfg.Distribution.Version, "dir": s.cfg.DataDir, "heap": bytesize.Text(p.heap),
	})
}

// supervise keeps a child alive until it is told to end it.
func (s *Server) supervise(p *process) {
	defer close(s.done)
	defer s.lock.Close()
	defer s.log.close()
	backoff, born := minBackoff, time.Now()
	var said throttle.Lines
	for {
		select {
		case <-s.kill:
			s.end(p)
			return
		case <-s.stop:
			s.end(p)
			return
		case <-p.exited:
		}
		if time.Since(born) > healthy {
			backoff = minBackoff
		}
		if p = s.respawn(s.heapAfter(p, backoff, &said), &backoff, &said); p == nil {
			return
		}
		born = time.Now()
	}
}

// heapAfter says that a child has died, and returns the heap for the next: more, up to MaxHeap, if it ended for want
// of it. What it had to load would not fit the next time either.
func (s *Server) heapAfter(p *process, backoff time.Duration, said *throttle.Lines) int64 {
	log := s.logger(p).WithError(p.err).WithField("log", s.cfg.LogFile)
	if p.outOfMemory() && p.heap < s.cfg.MaxHeap {
		heap := min(2*p.heap, s.cfg.MaxHeap)
		log.Warnf("ZooKeeper ran out of heap; starting it again with %s in %v", bytesize.Text(heap), backoff)
		return heap
	}
	s.once.died.Do(func() { close(s.died) })
	if left, ok := said.Allow("died"); !ok {
		return p.heap
	} else if p.outOfMemory() {
		log.Errorf("ZooKeeper ran out of heap, which is as large as it may be here; starting it again in %v; give it more, or remove data: compact, delete, and defragment%s", backoff, left)
	} else {
		log.Warnf("ZooKeeper died unexpectedly; starting it again in %v%s", backoff, left)
	}
	return p.heap
}

// respawn starts a child after the backoff, which it doubles; nil when told to end before.
func (s *Server) respawn(heap int64, backoff *time.Duration, said *throttle.Lines) *process {
	for {
		timer := time.NewTimer(*backoff)
		select {
		case <-s.kill:
		case <-s.stop:
		case <-timer.C:
			*backoff = min(2**backoff, maxBackoff)
			p, err := s.spawn(heap)
			if err != nil {
				if left, ok := said.Allow("failed"); ok {
					s.cfg.Logger.WithError(err).Errorf("Cannot start ZooKeeper; trying again in %v%s", *backoff, left)
				}
				continue
			}
			s.mu.Lock()
			s.current = p
			s.mu.Unlock()
			return p
		}
		timer.Stop()
		return nil
	}
}

// end ends a child, in peace unless kill is closed, and returns when it is gone.
func (s *Server) end(p *process) {
	select {
	case <-s.kill:
	default:
		p.signal(syscall.SIGTERM)
	}
	select {
	case <-p.exited:
	case <-s.kill:
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}
