package zkroot

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/zkine/zkine/revision"
)

// Layout names the znodes under a root:
//
//	<root>/format                        formatRecord, written once
//	<root>/log                           OpenRecord: the open segment; its
//	                                     dataVersion is the segment's number
//	<root>/log/<k>-<random>              SegmentRecord; its dataVersion counts
//	                                     the slots
//	<root>/log/<k>-<random>/s-<n>        a slot: an envelope (codec.go)
//	<root>/stage/<k>-<random>            parts of large batches of the segment
//	<root>/stage/<k>-<random>/<nonce>-<i> a part
//	<root>/pack/<k>-<random>             packed slots of a sealed segment
//	<root>/pack/<k>-<random>/p-<n>-<m>   slots n to m (pack.go)
//	<root>/checkpoint                    CheckpointRecord: the newest checkpoint
//	<root>/checkpoint/<attempt>          a folder of chunks (checkpoint_read.go)
//	<root>/checkpoint/<attempt>/c-<n>-<i> part i of chunk n
//	<root>/checkpoint/<attempt>/m-<i>    part i of the manifest
//	<root>/members/<name>                ephemeral: a running zkine
//	<root>/trust                         TrustRecord (trust.go); made when it is
//	                                     first needed
//	<root>/unfinished                    Unfinished (format.go): not a root yet
type Layout struct {
	// Root is the path of the znode that holds everything; see CheckRoot.
	Root string
}

// Format is the format record's path.
func (l Layout) Format() string { return l.Root + "/format" }

// Log is the path of the log: its segments are below.
func (l Layout) Log() string { return l.Root + "/log" }

// Segment is a segment's path; its slots are below.
func (l Layout) Segment(name string) string { return l.Log() + "/" + name }

// Members is the path of the list of members.
func (l Layout) Members() string { return l.Root + "/members" }

// Member is the path of a member's znode.
func (l Layout) Member(name string) string { return l.Members() + "/" + name }

// Trust is the trust record's path.
func (l Layout) Trust() string { return l.Root + "/trust" }

// Unfinished is the path of the record of a root that is being made.
func (l Layout) Unfinished() string { return l.Root + "/unfinished" }

// Stage is the path of a segment's staged parts.
func (l Layout) Stage(segment string) string { return l.StageRoot() + "/" + segment }

// Pack is the path of a segment's packs.
func (l Layout) Pack(segment string) string { return l.PackRoot() + "/" + segment }

// Checkpoint is the checkpoint record's path; attempts are below.
func (l Layout) Checkpoint() string { return l.Root + "/checkpoint" }

// Attempt is the path of an attempt at a checkpoint.
func (l Layout) Attempt(name string) string { return l.Checkpoint() + "/" + name }

// StageRoot holds the stages of all segments.
func (l Layout) StageRoot() string { return l.Root + "/stage" }

// PackRoot holds the packs of all segments.
func (l Layout) PackRoot() string { return l.Root + "/pack" }

// Packed is a pack's path, by the slots that it holds.
func (l Layout) Packed(segment string, pack PackRef) string {
	return l.Pack(segment) + "/" + pack.name()
}

// Chunk is the path of a part of a checkpoint's chunk.
func (l Layout) Chunk(attempt string, number, part int) string {
	return fmt.Sprintf("%s/c-%d-%d", l.Attempt(attempt), number, part)
}

// Manifest is the path of a part of a checkpoint's manifest.
func (l Layout) Manifest(attempt string, part int) string {
	return fmt.Sprintf("%s/m-%d", l.Attempt(attempt), part)
}

// SlotPrefix is what ZooKeeper appends a slot's number to.
func (l Layout) SlotPrefix(segment string) string {
	return l.Segment(segment) + "/s-"
}

// Slot is a slot's path.
func (l Layout) Slot(segment string, slot int64) string {
	return fmt.Sprintf("%s%010d", l.SlotPrefix(segment), slot)
}

// Part is the path of a part of a staged batch.
func (l Layout) Part(segment string, nonce revision.Nonce, i int) string {
	return fmt.Sprintf("%s/%s-%d", l.Stage(segment), nonce, i)
}

// SlotNumber reads the number off a sequential znode's path.
func SlotNumber(created string) (int64, error) {
	_, digits, found := strings.Cut(path.Base(created), "s-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %q is not a slot's path", revision.ErrCorrupt, created)
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

// OpenRecord is the data of <root>/log.
type OpenRecord struct {
	OpenSegment string `json:"open_segment"`
}

// CheckpointRecord is the data of <root>/checkpoint. Its znode's dataVersion
// rises with each checkpoint.
type CheckpointRecord struct {
	Latest *CheckpointRef `json:"latest,omitempty"`
	// Previous stays whole until the next one, with the log after it, for
	// members that are starting from it. It is the latest one itself after a
	// tidy-up, and where there is no room for two.
	Previous *CheckpointRef `json:"previous,omitempty"`
}

// Alone says whether no other checkpoint than the latest is kept.
func (r CheckpointRecord) Alone() bool {
	return r.Latest != nil && r.Previous != nil && r.Latest.Attempt == r.Previous.Attempt
}

// CheckpointRef is where a checkpoint lies and what it covers.
type CheckpointRef struct {
	Attempt string `json:"attempt"`
	// Segment is the last one that the checkpoint covers, all of it.
	Segment  int64        `json:"segment"`
	Revision revision.Rev `json:"revision"`
	// Bytes is what its chunks hold as stored, those taken over included.
	Bytes    int64   `json:"bytes"`
	Manifest BlobRef `json:"manifest"`
}

// BlobRef says how a stored blob is put together.
type BlobRef struct {
	Parts    int    `json:"parts"`
	Length   int    `json:"length"` // as stored, bytes
	Raw      int    `json:"raw"`    // bytes
	Checksum uint32 `json:"crc32c"` // of the stored bytes
}

// SegmentRecord is the data of a segment: who appended last and how far its
// writer had applied then, for people. Its writer may have left the data of the
// slot that it appended in it, so that a follower that looks how many slots there
// are need not read the newest one, too. Nothing depends on that: a release that
// does not know the field leaves none, and does not look for one.
type SegmentRecord struct {
	LastWriter string       `json:"last_writer"`
	Revision   revision.Rev `json:"writer_was_at_revision"`
	NewestSlot []byte       `json:"newest_slot,omitempty"`
}

// MaxCarried bounds the slot's data in a segment's record, in bytes. It is in
// ZooKeeper's log twice, which costs less than one more read of each other zkine
// as long as it is small.
const MaxCarried = 4 << 10

// writerRevision reads the revision off a segment's data; 0 if there is none.
func writerRevision(data []byte) revision.Rev {
	var r SegmentRecord
	if json.Unmarshal(data, &r) != nil {
		return 0
	}
	return r.Revision
}

// MustJSON encodes one of the records under a root, which always marshal.
func MustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // the records above always marshal
	}
	return data
}
