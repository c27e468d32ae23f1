package revision

// Newest is the newest checkpoint, as far as it is known.
type Newest struct {
	// Segment is the last one that it covers, 0 if there is no checkpoint.
	Segment int64
	// Bytes is what it takes in ZooKeeper.
	Bytes int64
	// Alone says that none is kept besides it.
	Alone bool
}
