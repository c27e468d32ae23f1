package revision

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"
)

// layout names the znodes under a root:
//
//	<root>/format                        formatRecord, written once
//	<root>/log                           openRecord: the open segment; its
//	                                     dataVersion is the segment's number
//	<root>/log/<k>-<random>              segmentRecord; its dataVersion counts
//	                                     the slots
//	<root>/log/<k>-<random>/s-<n>        a slot: an envelope (codec.go)
//	<root>/stage/<k>-<random>            parts of large batches of the segment
//	<root>/stage/<k>-<random>/<nonce>-<i> a part
//	<root>/pack/<k>-<random>             packed slots of a sealed segment
//	<root>/pack/<k>-<random>/p-<n>-<m>   slots n to m (pack.go)
//	<root>/checkpoint                    checkpointRecord: the newest checkpoint
//	<root>/checkpoint/<attempt>          a folder of chunks (checkpoint.go)
//	<root>/checkpoint/<attempt>/c-<n>-<i> part i of chunk n
//	<root>/checkpoint/<attempt>/m-<i>    part i of the manifest
//	<root>/members/<name>                ephemeral: a running zkine
//	<root>/trust                         trustRecord (trust.go); made when it is
//	                                     first needed
type layout struct{ root string }

func (l layout) format() string              { return l.root + "/format" }
func (l layout) log() string                 { return l.root + "/log" }
func (l layout) members() string             { return l.root + "/members" }
func (l layout) member(name string) string   { return l.members() + "/" + name }
func (l layout) trust() string               { return l.root + "/trust" }
func (l layout) stageRoot() string           { return l.root + "/stage" }
func (l layout) stage(segment string) string { return l.stageRoot() + "/" + segment }
func (l layout) segment(name string) string  { return l.log() + "/" + name }
func (l layout) packRoot() string            { return l.root + "/pack" }
func (l layout) pack(segment string) string  { return l.packRoot() + "/" + segment }
func (l layout) checkpoint() string          { return l.root + "/checkpoint" }
func (l layout) attempt(name string) string  { return l.checkpoint() + "/" + name }

func (l layout) packed(segment string, first, last int64) string {
	return l.pack(segment) + "/" + packRef{first, last}.name()
}

func (l layout) chunk(attempt string, number, part int) string {
	return fmt.Sprintf("%s/c-%d-%d", l.attempt(attempt), number, part)
}

func (l layout) manifest(attempt string, part int) string {
	return fmt.Sprintf("%s/m-%d", l.attempt(attempt), part)
}

func (l layout) slotPrefix(segment string) string {
	return l.segment(segment) + "/s-"
}

func (l layout) slot(segment string, slot int64) string {
	return fmt.Sprintf("%s%010d", l.slotPrefix(segment), slot)
}

func (l layout) part(segment string, nonce Nonce, i int) string {
	return fmt.Sprintf("%s/%s-%d", l.stage(segment), nonce, i)
}

// slotNumber reads the number off a sequential znode's path.
func slotNumber(created string) (int64, error) {
	_, digits, found := strings.Cut(path.Base(created), "s-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %q is not a slot's path", ErrCorrupt, created)
	}
	return n, nil
}

// formatVersion is the newest format that this zkine reads and writes.
const formatVersion = 1

// formatRecord is the data of <root>/format.
type formatRecord struct {
	Zkine     string `json:"zkine"` // says whose data this is, for people
	Format    int    `json:"format"`
	ClusterID string `json:"cluster_id"` // hexadecimal
}

// openRecord is the data of <root>/log.
type openRecord struct {
	OpenSegment string `json:"open_segment"`
}

// checkpointRecord is the data of <root>/checkpoint. Its znode's dataVersion
// rises with each checkpoint.
type checkpointRecord struct {
	Latest *checkpointRef `json:"latest,omitempty"`
	// Previous stays whole until the next one, with the log after it, for
	// members that are starting from it. It is the latest one itself after a
	// tidy-up, and where there is no room for two.
	Previous *checkpointRef `json:"previous,omitempty"`
}

// alone says whether no other checkpoint than the latest is kept.
func (r checkpointRecord) alone() bool {
	return r.Latest != nil && r.Previous != nil && r.Latest.Attempt == r.Previous.Attempt
}

// checkpointRef is where a checkpoint lies and what it covers.
type checkpointRef struct {
	Attempt string `json:"attempt"`
	// Segment is the last one that the checkpoint covers, all of it.
	Segment  int64 `json:"segment"`
	Revision Rev   `json:"revision"`
	// Bytes is what its chunks hold as stored, those taken over included.
	Bytes    int64   `json:"bytes"`
	Manifest blobRef `json:"manifest"`
}

// blobRef says how a stored blob is put together.
type blobRef struct {
	Parts    int    `json:"parts"`
	Length   int    `json:"length"` // as stored, bytes
	Raw      int    `json:"raw"`    // bytes
	Checksum uint32 `json:"crc32c"` // of the stored bytes
}

// segmentRecord is the data of a segment: who appended last and how far its
// writer had applied then. For people; nothing depends on it.
type segmentRecord struct {
	LastWriter string `json:"last_writer"`
	Revision   Rev    `json:"writer_was_at_revision"`
}

// writerRevision reads the revision off a segment's data; 0 if there is none.
func writerRevision(data []byte) Rev {
	var r segmentRecord
	if json.Unmarshal(data, &r) != nil {
		return 0
	}
	return r.Revision
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // the records above always marshal
	}
	return data
}

// openACL is the one ACL of all znodes; a single constant keeps ZooKeeper's
// own restart bugs with ACL caches away (ZOOKEEPER-4846).
var openACL = zk.WorldACL(zk.PermAll)

func createOp(path string, data []byte) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Data: data, Acl: openACL}
}

func checkOp(path string, version int64) *zk.CheckVersionRequest {
	return &zk.CheckVersionRequest{Path: path, Version: int32(version)}
}

// anyVersion makes a check or a setData accept whatever version there is.
const anyVersion = -1

func setOp(path string, data []byte, version int64) *zk.SetDataRequest {
	return &zk.SetDataRequest{Path: path, Data: data, Version: int32(version)}
}
