package zkroot

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/zkine/zkine/revision"
)

// Served is what a zkine knows of the log that it serves, and remembers across a
// restart: enough to recognise it by.
type Served struct {
	Root      string    `json:"root"`
	ClusterID ClusterID `json:"cluster_id"`
	// Accepted is the number of the latest decision that it knew; see trust.go.
	Accepted int64 `json:"accepted,omitempty"`
	// Revision is the last one applied, at about the slot below.
	Revision revision.Rev `json:"revision"`
	// Segment and Slot are the place of a slot that was seen, and Nonce what it
	// held; Segment is "" if none was.
	Segment string         `json:"segment,omitempty"`
	Slot    int64          `json:"slot"`
	Nonce   revision.Nonce `json:"nonce"`
	At      time.Time      `json:"at"`
}

// ClusterID is a root's; people see it in hexadecimal.
type ClusterID uint64

func (c ClusterID) String() string { return strconv.FormatUint(uint64(c), 16) }

// MarshalText makes JSON show an id as String does.
func (c ClusterID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *ClusterID) UnmarshalText(text []byte) error {
	id, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || id == 0 {
		return fmt.Errorf("revision: %q is not a cluster id", text)
	}
	*c = ClusterID(id)
	return nil
}

// Check says whether a memory can have been written by a zkine.
func (s Served) Check() error {
	if s.ClusterID == 0 || s.Revision < 0 || s.Slot < 0 {
		return errors.New("no cluster id, or a negative number")
	}
	if s.Segment != "" {
		_, err := ParseSegmentRef(s.Segment)
		return err
	}
	return nil
}

// Wanted says which root is meant, and which cluster it must hold.
type Wanted struct {
	// Root is the znode that holds everything; see CheckRoot.
	Root string
	// ClusterID is the only cluster to accept; 0 for any.
	ClusterID uint64
	// Served is what is remembered of an earlier run; nil for nothing. Unless
	// ClusterID or NewCluster says otherwise its cluster is the only one to
	// accept.
	Served *Served
	// NewCluster allows another cluster than Served's, and to make one.
	NewCluster bool
}

// Allows says whether a cluster may be served, by what was asked for and what is
// remembered. 0 is a root that would have to be made. Error: ErrWrongCluster.
func (c Wanted) Allows(id uint64) error {
	asked, served := ClusterID(c.ClusterID), c.Served
	switch {
	case asked != 0 && id == 0:
		return fmt.Errorf("%w: there is no zkine data under %s, and --cluster-id asks for cluster %v; check --zookeeper and --zookeeper-root",
			revision.ErrWrongCluster, c.Root, asked)
	case asked != 0 && id != c.ClusterID:
		return fmt.Errorf("%w: %s holds cluster %v, and --cluster-id asks for %v; check --zookeeper and --zookeeper-root",
			revision.ErrWrongCluster, c.Root, ClusterID(id), asked)
	case asked != 0 || served == nil || c.NewCluster || uint64(served.ClusterID) == id:
		return nil
	}
	was := fmt.Sprintf("this zkine has served cluster %v there, up to revision %d at %s", served.ClusterID, served.Revision, served.At.UTC().Format(time.RFC3339))
	if id == 0 {
		return fmt.Errorf("%w: there is no zkine data under %s, but %s; check --zookeeper and --zookeeper-root, or start once with --new-cluster to begin with nothing",
			revision.ErrWrongCluster, c.Root, was)
	}
	return fmt.Errorf("%w: %s holds cluster %v, but %s; check --zookeeper and --zookeeper-root, or name what is meant with --cluster-id=%v",
		revision.ErrWrongCluster, c.Root, ClusterID(id), was, ClusterID(id))
}
