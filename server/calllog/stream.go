package calllog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// Stream is an interceptor. A stream with one request is a call like any other. Of one
// on which clients send, the requests that are worth it are followed one by one: the
// creation of watchers here, and what calls Begin.
func (l *Log) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	began := time.Now()
	s := &stream{ServerStream: ss, log: l, method: info.FullMethod, lasting: info.IsClientStream, call: &call{Context: ss.Context()}}
	err := handler(srv, s)
	l.unforeseen(info.FullMethod, err)
	if !s.lasting {
		req, _ := s.req.Load().(held)
		l.over(done{call: s.call, method: info.FullMethod, began: began, req: req.message, err: err, sending: time.Duration(s.sending.Load())})
	}
	return err
}

// stream is a stream that is followed. One goroutine may call RecvMsg while another
// calls SendMsg.
type stream struct {
	grpc.ServerStream
	log     *Log
	method  string
	lasting bool
	call    *call
	// req is the first message that came, and sending how long those that were sent took,
	// in nanoseconds.
	req     atomic.Value // of held
	sending atomic.Int64

	mu sync.Mutex
	// creating are the watchers that were asked for: they are answered in this order.
	creating []creating
}

type held struct{ message any }

type creating struct {
	began time.Time
	req   *pb.WatchCreateRequest
}

// Context implements grpc.ServerStream. Requests on a stream of many have contexts of
// their own; see Begin.
func (s *stream) Context() context.Context { return s.call }

// RecvMsg implements grpc.ServerStream.
func (s *stream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if !s.lasting {
		s.req.Store(held{m})
		return nil
	}
	if w, ok := m.(*pb.WatchRequest); ok && w.GetCreateRequest() != nil {
		s.mu.Lock()
		s.creating = append(s.creating, creating{time.Now(), w.GetCreateRequest()})
		s.mu.Unlock()
	}
	return nil
}

// SendMsg implements grpc.ServerStream. It waits while the client takes nothing.
func (s *stream) SendMsg(m any) error {
	began := time.Now()
	if w, ok := m.(*pb.WatchResponse); ok && w.GetCreated() {
		s.created(w)
	}
	err := s.ServerStream.SendMsg(m)
	took := time.Since(began)
	s.sending.Add(int64(took))
	if took > s.log.cfg.Slow {
		s.log.slowClient(s, took)
	}
	return err
}

// created ends the creation of a watcher.
func (s *stream) created(w *pb.WatchResponse) {
	s.mu.Lock()
	if len(s.creating) == 0 {
		s.mu.Unlock()
		return
	}
	of := s.creating[0]
	s.creating = s.creating[1:]
	s.mu.Unlock()
	s.log.over(done{call: &call{Context: s.call, part: true}, method: s.method, began: of.began, req: of.req, resp: w})
}

// slowClient says that a client lets what it is sent wait: the others have the time
// that this takes, but its own events come late.
func (l *Log) slowClient(s *stream, took time.Duration) {
	count(l.sends, s.method)
	if !l.limit.admit(s.method, took) {
		return
	}
	fields := logrus.Fields{"method": s.method, "sending": rounded(took)}
	l.client(s.call).tell(fields)
	l.cfg.Log.WithFields(fields).Warn("a client was slow to take what it was sent")
}
