package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// samplePeriod is how often descriptors and goroutines are counted.
	samplePeriod = 500 * time.Millisecond
	// askLimit bounds a question to the metrics URL, heapLimit one for the heap.
	askLimit  = 3 * time.Second
	heapLimit = 10 * time.Second
)

// usage is what a server holds.
type usage struct {
	resident    int64 // bytes, the most since resetPeak
	descriptors int
	goroutines  int // 0 if unknown
	log         int64
}

// resetPeak makes the kernel forget the largest resident size.
func (u *subject) resetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", u.Pid()), []byte("5"), 0)
}

// look counts what the kernel knows.
func (u *subject) look() (now usage, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", u.Pid()))
	if err != nil {
		return now, err
	}
	for line := range strings.Lines(string(status)) {
		if peak, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(peak), "kB")), 10, 64)
			if err != nil {
				return now, err
			}
			now.resident = kib << 10
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", u.Pid()))
	if err != nil {
		return now, err
	}
	now.descriptors = len(files)
	log, err := os.Stat(u.Log)
	if err != nil {
		return now, err
	}
	now.log = log.Size()
	return now, nil
}

// watcher asks a server, on connections that it has from the beginning.
type watcher struct {
	subject *subject
	metrics *http.Client
	heaps   *http.Client
}

func newWatcher(u *subject) *watcher {
	one := func(limit time.Duration) *http.Client {
		return &http.Client{Timeout: limit, Transport: &http.Transport{MaxConnsPerHost: 1}}
	}
	return &watcher{u, one(askLimit), one(heapLimit)}
}

// goroutines is how many the server says that it has.
func (w *watcher) goroutines(ctx context.Context) (n int, err error) {
	text, err := get(ctx, w.metrics, "http://"+w.subject.metrics+"/metrics")
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			return strconv.Atoi(value)
		}
	}
	return 0, errors.New("the metrics lack go_goroutines")
}

// heap has the server collect its garbage, and returns how many bytes are alive.
func (w *watcher) heap(ctx context.Context) (int64, error) {
	text, err := get(ctx, w.heaps, "http://"+w.subject.profiles+"/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "# HeapAlloc = "); ok {
			return strconv.ParseInt(value, 10, 64)
		}
	}
	return 0, errors.New("the profile lacks HeapAlloc")
}

func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return body.Bytes(), nil
}

// sample keeps the most of everything until ctx ends.
func (w *watcher) sample(ctx context.Context) (most usage, err error) {
	ticker := time.NewTicker(samplePeriod)
	defer ticker.Stop()
	for {
		now, err := w.subject.look()
		if err != nil {
			return most, err
		}
		now.goroutines, _ = w.goroutines(ctx) // it may have no descriptor for the question
		most = usage{
			max(most.resident, now.resident), max(most.descriptors, now.descriptors), max(most.goroutines, now.goroutines), now.log,
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return most, nil
		}
	}
}
