package inspect

import "time"

// Report is what a root holds.
type Report struct {
	Time time.Time `json:"time"`
	Root string    `json:"root"`
	// Cluster is its id.
	Cluster string `json:"cluster"`
	// Revision is about the newest, CompactRevision the floor as of KeysAt.
	Revision        int64     `json:"revision"`
	CompactRevision int64     `json:"compact_revision,omitempty"`
	Written         time.Time `json:"written"`
	// Halted says why no zkine may serve it; "" if one may.
	Halted string `json:"halted,omitempty"`

	Members    []Member    `json:"members"`
	Segments   []Segment   `json:"segments"`
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
	Previous   *Checkpoint `json:"previous_checkpoint,omitempty"`
	Sizes      Sizes       `json:"sizes"`

	// Keys is as of a revision: that of the newest checkpoint, or, if the log was
	// replayed, the newest.
	Keys *Keys `json:"keys,omitempty"`
	// KeysUnknown says why there is no Keys.
	KeysUnknown string   `json:"keys_unknown,omitempty"`
	Leases      *Leases  `json:"leases,omitempty"`
	Alarms      []string `json:"alarms,omitempty"`
}

// Member is a zkine that is listed.
type Member struct {
	Name   string   `json:"name"`
	ID     string   `json:"id"`
	URLs   []string `json:"client_urls"`
	Keeper bool     `json:"keeper"`
	// Watchers and Streams are those of its clients; nil if it did not tell, for the
	// reason Unknown.
	Watchers *int64 `json:"watchers,omitempty"`
	Streams  *int64 `json:"watch_streams,omitempty"`
	Unknown  string `json:"watchers_unknown,omitempty"`
}

// Segment is a part of the log.
type Segment struct {
	Number int64 `json:"number"`
	Open   bool  `json:"open,omitempty"`
	// Slots is how many it has, Znodes in how many znodes.
	Slots  int64 `json:"slots"`
	Znodes int   `json:"znodes"`
	// Bytes is what these hold, by kind.
	LogBytes    int64     `json:"log_bytes"`
	PackedBytes int64     `json:"packed_bytes"`
	StagedBytes int64     `json:"staged_bytes"`
	Written     time.Time `json:"written"`
	// Covered says that the newest checkpoint has it.
	Covered bool `json:"covered"`
}

// Bytes is all that it holds.
func (s Segment) Bytes() int64 { return s.LogBytes + s.PackedBytes + s.StagedBytes }

// Checkpoint is one that the root keeps.
type Checkpoint struct {
	Segment  int64 `json:"segment"`
	Revision int64 `json:"revision"`
	// Bytes is what its chunks hold, RawBytes what they are unpacked.
	Bytes    int64 `json:"bytes"`
	RawBytes int64 `json:"raw_bytes,omitempty"`
	Chunks   int   `json:"chunks,omitempty"`
	// Written is when it became the newest; of that alone.
	Written *time.Time `json:"written,omitempty"`
}

// Sizes are bytes of data in ZooKeeper, and znodes.
type Sizes struct {
	Log         int64 `json:"log"`
	Packed      int64 `json:"packed"`
	Staged      int64 `json:"staged"`
	Checkpoints int64 `json:"checkpoints"`
	Znodes      int64 `json:"znodes"`
}

// Total is all of it.
func (s Sizes) Total() int64 { return s.Log + s.Packed + s.Staged + s.Checkpoints }

// Keys are the store's keys.
type Keys struct {
	// Revision is as of when, Newest whether that is the end of the log.
	Revision int64 `json:"revision"`
	Newest   bool  `json:"newest"`
	// Live is how many there are, with so many bytes of keys and values. Versions is
	// how many older ones and deletions are kept above the floor, with so many bytes.
	Live         int64 `json:"live"`
	Bytes        int64 `json:"bytes"`
	Versions     int64 `json:"old_versions"`
	VersionBytes int64 `json:"old_version_bytes"`
	// Prefixes are the largest, with those that are not named in Others.
	Prefixes []Prefix `json:"prefixes"`
	Others   *Prefix  `json:"other_prefixes,omitempty"`
	Largest  []Key    `json:"largest"`
}

// Prefix is what keys with one beginning hold; "" is keys without a slash.
type Prefix struct {
	Prefix       string `json:"prefix"`
	Live         int64  `json:"live"`
	Bytes        int64  `json:"bytes"`
	Versions     int64  `json:"old_versions"`
	VersionBytes int64  `json:"old_version_bytes"`
}

func (p Prefix) all() int64 { return p.Bytes + p.VersionBytes }

// Key is one key.
type Key struct {
	Key string `json:"key"`
	// Bytes is the size of its value.
	Bytes       int64 `json:"bytes"`
	Version     int64 `json:"version"`
	ModRevision int64 `json:"mod_revision"`
	Lease       int64 `json:"lease,omitempty"`
}

// Leases are the store's leases.
type Leases struct {
	Count int `json:"count"`
	// Keys is how many keys are attached to one, Empty how many have none.
	Keys  int64 `json:"keys"`
	Empty int   `json:"empty"`
	// Largest are those with most keys.
	Largest []Lease `json:"largest"`
}

// Lease is one lease.
type Lease struct {
	// ID is hexadecimal, as etcdctl has it.
	ID   string `json:"id"`
	TTL  int64  `json:"ttl_seconds"`
	Keys int64  `json:"keys"`
}
