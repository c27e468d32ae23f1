package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/zkine/zkine/revision/embedded"
)

// heap compares each server's heap with what the quota lets zkine store.
func heap(_ context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		text := s.value("envi", "os.memory.max")
		n, err := strconv.ParseInt(strings.TrimSuffix(text, "MB"), 10, 64)
		if err != nil {
			return []Finding{s.silence("envi")}
		}
		return []Finding{judgeHeap(s.String(), n<<20, p.cfg.Quota, p.cfg.MaxRequest)}
	})
}

func judgeHeap(thing string, has, quota int64, request int) Finding {
	why := "ZooKeeper holds everything in memory: a server that collects garbage for seconds loses its leadership, and one without memory ends; NOSPACE can be repaired, that cannot"
	switch {
	case quota < 0:
		return Finding{Level: Problem, Thing: thing, What: fmt.Sprintf("nothing keeps what it holds below its heap of %s", size(has)), Why: why, Remedy: "set --quota-backend-bytes"}
	case embedded.Capacity(has, request) < quota:
		holds := embedded.Capacity(has, request)
		f := Finding{Level: Problem, Thing: thing, What: fmt.Sprintf("its heap of %s holds %s beside 500 requests of --max-zookeeper-request, and --quota-backend-bytes allows %s", size(has), size(holds), size(quota)), Why: why,
			Remedy: fmt.Sprintf("give it -Xmx%dm", embedded.HeapFor(quota, request)>>20+1)}
		if holds > 0 {
			f.Remedy += fmt.Sprintf(", or set --quota-backend-bytes=%d", holds)
		}
		return f
	}
	return ok(thing, "its heap of %s holds what --quota-backend-bytes=%d allows", size(has), quota)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
