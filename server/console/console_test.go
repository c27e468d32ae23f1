package console

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// The committed page is built of the committed sources.
func TestAssetsBelongToTheirSources(t *testing.T) {
	var files []string
	for _, name := range []string{"index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "public", "src"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("web", name), func(file string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				files = append(files, filepath.ToSlash(file))
			}
			return err
		}))
	}
	slices.Sort(files)
	all := sha256.New()
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		one := sha256.Sum256(text)
		fmt.Fprintf(all, "%s\n%x\n", strings.TrimPrefix(file, "web/"), one)
	}
	built, err := os.ReadFile("dist/sources.sha256")
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(all.Sum(nil))+"\n", string(built), "server/console/dist is of other sources: run make console")
}

// The page is small, and names nothing that it does not bring along.
func TestAssets(t *testing.T) {
	size := 0
	for name, file := range loadAssets().files {
		size += len(file.data)
		require.NotEmpty(t, file.kind, name)
		if name == "index.html" {
			require.NotContains(t, string(file.data), "http")
			require.NotContains(t, string(file.data), "<style")
			require.NotContains(t, string(file.data), "style=")
		}
	}
	require.Less(t, size, 400<<10)
}

func TestKeyText(t *testing.T) {
	for key, text := range map[string]string{
		"/registry/pods/a": "/registry/pods/a", "ä b": "ä b", "a\nb": "a%0Ab", "100%": "100%25", "\xff": "%FF", "\u202e": "%E2%80%AE", "\uFFFD": "\uFFFD", "": "",
	} {
		require.Equal(t, text, keyText([]byte(key)))
	}
	require.Equal(t, "50% of", string(parseKey("50% of")), "as people write it")
	require.NoError(t, quick.Check(func(key []byte) bool {
		text := keyText(key)
		for _, c := range text {
			if !unicode.IsPrint(c) {
				return false
			}
		}
		return string(parseKey(text)) == string(key)
	}, &quick.Config{MaxCount: 2000}))
}

func TestPrefixEnd(t *testing.T) {
	for prefix, end := range map[string]string{"a": "b", "a/": "a0", "a\xff": "b", "\xff\xff": "\x00", "": "\x00"} {
		require.Equal(t, end, string(prefixEnd([]byte(prefix))), "%q", prefix)
	}
}

// A name that a web page may have chosen is refused.
func TestHosts(t *testing.T) {
	g := newGuard(Config{Hosts: []string{"*", "zk1.example"}})
	for host, known := range map[string]bool{
		"127.0.0.1": true, "::1": true, "[::1]": true, "10.1.2.3": true, "localhost": true, "zk1.example": true,
		"evil.example": false, "*": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
	} {
		require.Equal(t, known, g.knows(host), host)
	}
}

// Rates are those between two samples, quantiles and means of what was counted between them.
func TestSamples(t *testing.T) {
	r := prometheus.NewRegistry()
	puts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "grpc_server_handled_total"}, []string{"grpc_method", "grpc_code"})
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "zkine_append_duration_seconds", Buckets: []float64{0.001, 0.002, 0.004}})
	batch := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "zkine_append_batch_requests", Buckets: []float64{1, 2}})
	asked := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "zkine_zookeeper_request_duration_seconds", Buckets: []float64{0.001, 0.002, 1}}, []string{"op"})
	r.MustRegister(puts, took, batch, asked)
	s := newSampler(r)
	now := time.Unix(1000, 0)
	take := func() map[string]float64 {
		s.take(now)
		now = now.Add(2 * time.Second)
		values := map[string]float64{}
		for i, line := range lines {
			values[line.Panel+" "+line.Label] = s.ring[len(s.ring)-1].values[i]
		}
		return values
	}
	puts.WithLabelValues("Put", "OK").Add(100)
	took.Observe(3)
	first := take()
	require.True(t, math.IsNaN(first["Requests put"]), "there is nothing to compare with")

	puts.WithLabelValues("Put", "OK").Add(10)
	puts.WithLabelValues("Range", "Unavailable").Add(4)
	for range 100 {
		took.Observe(0.0015)
	}
	batch.Observe(1)
	batch.Observe(4)
	asked.WithLabelValues("multi").Observe(0.5)
	asked.WithLabelValues("get").Observe(0.0015)
	second := take()
	require.InDelta(t, 5, second["Requests put"], 1e-9)
	require.InDelta(t, 2, second["Writes faults"], 1e-9)
	require.InDelta(t, 0.0015, second["ZooKeeper's answer to an append p50"], 1e-9)
	require.InDelta(t, 2.5, second["Requests in an append mean"], 1e-9)
	require.Greater(t, second["ZooKeeper, 99 of 100 answers within multi"], 0.9)
	require.Less(t, second["ZooKeeper, 99 of 100 answers within get"], 0.002)
	require.True(t, math.IsNaN(second["ZooKeeper, 99 of 100 answers within exists"]), "nothing was asked")
	require.True(t, math.IsNaN(second["Memory of zkine resident"]), "no such metric")

	third := take()
	require.True(t, math.IsNaN(third["ZooKeeper's answer to an append p99"]), "nothing was counted")
	for range 2 * mostSamples {
		take()
	}
	require.LessOrEqual(t, len(s.ring), mostSamples)
}

func BenchmarkSample(b *testing.B) {
	s := newSampler(prometheus.DefaultGatherer)
	for b.Loop() {
		s.take(time.Now())
	}
}
