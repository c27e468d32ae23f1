package servertest

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// WatchStream is a watch.Stream whose responses a test sends.
type WatchStream struct {
	// Out takes the responses, Broken an error with which Next ends.
	Out    chan *pb.WatchResponse
	Broken chan error
	// Did gets what was asked for: requests, cancelled ids, "progress".
	Did chan any
	// Fragments says whether watchers want large responses in parts.
	Fragments bool
	// Closed is closed by Close.
	Closed chan struct{}
}

func newWatchStream() *WatchStream {
	return &WatchStream{
		Out: make(chan *pb.WatchResponse, 100), Did: make(chan any, 100),
		Closed: make(chan struct{}), Broken: make(chan error, 1),
	}
}

func (w *WatchStream) Room(context.Context) error      { return nil }
func (w *WatchStream) Create(r *pb.WatchCreateRequest) { w.Did <- r }
func (w *WatchStream) Refuse(reason string)            { w.Did <- reason }
func (w *WatchStream) Cancel(id int64)                 { w.Did <- id }
func (w *WatchStream) RequestProgress()                { w.Did <- "progress" }
func (w *WatchStream) Fragmented(int64) bool           { return w.Fragments }
func (w *WatchStream) Close()                          { close(w.Closed) }

func (w *WatchStream) Next(ctx context.Context) (*pb.WatchResponse, error) {
	select {
	case r := <-w.Out:
		return r, nil
	case err := <-w.Broken:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
