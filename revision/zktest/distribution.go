package zktest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zkine/zkine/revision/embedded"
)

// distribution finds the ZooKeeper of the tests, or fails the test.
func distribution(t testing.TB) *embedded.Distribution {
	t.Helper()
	d, err := find()
	if err != nil {
		t.Fatalf("zktest: %v\nrun make zookeeper", err)
	}
	return d
}

var find = sync.OnceValues(func() (*embedded.Distribution, error) {
	dir := os.Getenv("ZKINE_ZOOKEEPER_DIR")
	if dir == "" {
		dir = cached()
	}
	return embedded.Find(embedded.FindOptions{Dir: dir})
})

// cached returns the nearest .cache/zookeeper above the working folder, which may be in a module of its own inside
// the repository. When there is none it returns the path where the search began, for the error to name.
func cached() string {
	start, err := os.Getwd()
	if err != nil {
		return ".cache/zookeeper"
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".cache", "zookeeper")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if dir == filepath.Dir(dir) {
			return filepath.Join(start, ".cache", "zookeeper")
		}
	}
}
