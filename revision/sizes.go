package revision

// Sizes is what a root holds in ZooKeeper: bytes of data, and znodes. It is
// exact as of the last Measure, and follows what was delivered since.
type Sizes struct {
	// Log is slots that are znodes of their own, Packed the packs of sealed
	// segments, Staged the parts of large batches.
	Log, Packed, Staged int64
	// Checkpoint is chunks and manifests, those of attempts that nothing
	// names (any more) included.
	Checkpoint int64
	// Znodes counts all znodes under the root, and the root.
	Znodes int64
	// Live is what of all these bytes a start needs: the newest checkpoint and
	// the log after it. Housekeeping removes the rest in time.
	Live int64
	// Kept is what is kept on purpose: Live, the checkpoint before, and the log
	// after that one. The rest is needless, and goes when the log is trimmed next.
	Kept int64
}

// Total is all bytes.
func (s Sizes) Total() int64 { return s.Log + s.Packed + s.Staged + s.Checkpoint }
