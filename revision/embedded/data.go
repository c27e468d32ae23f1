package embedded

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// DataOnDisk is about how many bytes of data a server will load from a data folder: the size of its newest snapshot,
// without the transactions since. 0 if there is none.
func DataOnDisk(dataDir string) int64 {
	snapshots, _ := filepath.Glob(filepath.Join(dataDir, "data", "version-2", "snapshot.*"))
	var newest, size int64 = -1, 0
	for _, path := range snapshots {
		zxid, err := strconv.ParseInt(strings.TrimPrefix(filepath.Ext(path), "."), 16, 64)
		if err != nil || zxid <= newest {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			newest, size = zxid, info.Size()
		}
	}
	return size
}

// znodeCost is what a znode takes in the heap besides its path and data, in bytes: a DataNode, its Stat, its entry in
// the table and in its parent's set.
const znodeCost = 300

// DataBytes asks the server how many bytes of heap its tree takes, whichever client wrote it: paths, data, and what a znode
// costs besides.
func (s *Server) DataBytes(ctx context.Context) (int64, error) {
	answer, err := fourletter.Ask(ctx, s.Addr(), "mntr")
	if err != nil {
		return 0, err
	}
	bytes, err := fourletter.Number(answer, "zk_approximate_data_size")
	if err != nil {
		return 0, err
	}
	znodes, err := fourletter.Number(answer, znodeCount)
	return bytes + znodeCost*znodes, err
}

// znodeCount is the name of a number in an answer to mntr.
const znodeCount = "zk_znode_count"

// Znodes asks the server how many znodes it has, its own included.
func (s *Server) Znodes(ctx context.Context) (int64, error) {
	answer, err := fourletter.Ask(ctx, s.Addr(), "mntr")
	if err != nil {
		return 0, err
	}
	return fourletter.Number(answer, znodeCount)
}
