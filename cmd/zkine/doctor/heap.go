package doctor

import (
	"context"
	"fmt"

	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// heap compares each server's heap with what the quota lets zkine store.
func heap(_ context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		has, err := fourletter.Heap(s.words["envi"].text)
		if err != nil {
			return []Finding{s.silence("envi")}
		}
		return []Finding{judgeHeap(s.String(), has, p.cfg.Quota, p.cfg.MaxRequest)}
	})
}

func judgeHeap(thing string, has, quota int64, request int) Finding {
	why := "ZooKeeper holds everything in memory: a server that collects garbage for seconds loses its leadership, and one without memory ends; NOSPACE can be repaired, that cannot"
	switch {
	case quota < 0:
		return Finding{Level: Problem, Thing: thing, What: fmt.Sprintf("nothing keeps what it holds below its heap of %s", bytesize.Text(has)), Why: why, Remedy: "set --quota-backend-bytes"}
	case embedded.Capacity(has, request) < quota:
		holds := embedded.Capacity(has, request)
		f := Finding{Level: Problem, Thing: thing, What: fmt.Sprintf("its heap of %s holds %s beside 500 requests of --max-zookeeper-request, and --quota-backend-bytes allows %s", bytesize.Text(has), bytesize.Text(holds), bytesize.Text(quota)), Why: why,
			Remedy: fmt.Sprintf("give it -Xmx%dm", embedded.HeapFor(quota, request)>>20+1)}
		if holds > 0 {
			f.Remedy += fmt.Sprintf(", or set --quota-backend-bytes=%d", holds)
		}
		return f
	}
	return ok(thing, "its heap of %s holds what --quota-backend-bytes=%d allows", bytesize.Text(has), quota)
}
