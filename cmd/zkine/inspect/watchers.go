package inspect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/zkine/zkine/cmd/zkine/clienturl"
)

const (
	// askTime bounds one question to a zkine.
	askTime = 3 * time.Second
	// maxMetrics bounds what is read of a zkine's metrics, in bytes.
	maxMetrics = 8 << 20
)

// errAnother says that a URL leads to another zkine than the one that has told it, as
// one on the loopback interface does on each machine.
var errAnother = errors.New("another zkine answers there")

// Watchers asks a zkine for its metrics, at the first of its client URLs that answers,
// and returns how many watchers and watch streams it has. config is for https:// URLs;
// it is called for each.
func Watchers(ctx context.Context, id uint64, urls []string, config func() (*tls.Config, error)) (watchers, streams int64, err error) {
	err = errors.New("it tells no URL for clients")
	for _, u := range urls {
		if watchers, streams, err = watchersAt(ctx, id, u, config); err == nil {
			return watchers, streams, nil
		}
	}
	return 0, 0, err
}

func watchersAt(ctx context.Context, id uint64, at string, config func() (*tls.Config, error)) (watchers, streams int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer within %v", askTime))
	defer cancel()
	answer, err := clienturl.Get(ctx, at, "/metrics", config, maxMetrics)
	if err == nil && answer.Code != http.StatusOK {
		err = fmt.Errorf("it answers %s", answer.Status)
	}
	if err == nil {
		watchers, streams, err = parseWatchers(bytes.NewReader(answer.Body), id)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", at, err)
	}
	return watchers, streams, nil
}

// parseWatchers finds both in metrics as Prometheus reads them, which must be those of
// the zkine with this id.
func parseWatchers(r io.Reader, id uint64) (watchers, streams int64, err error) {
	found := map[string]int64{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, is := strings.Cut(lines.Text(), " ")
		if told, is := strings.CutPrefix(name, `etcd_server_id{server_id="`); is {
			if got, err := strconv.ParseUint(strings.TrimSuffix(told, `"}`), 16, 64); err == nil && got != id {
				return 0, 0, errAnother
			}
		}
		if !is || !strings.HasPrefix(name, "etcd_debugging_mvcc_watch") {
			continue
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] = int64(n)
		}
	}
	watchers, has := found["etcd_debugging_mvcc_watcher_total"]
	if !has {
		return 0, 0, errors.New("it does not tell how many watchers it has")
	}
	return watchers, found["etcd_debugging_mvcc_watch_stream_total"], lines.Err()
}
