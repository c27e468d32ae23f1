package transfer

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// newestStorage is the version of etcd's storage that this package knows.
const newestStorage = "3.7.0"

// read reads the buckets. Their layout is described in package etcddb.
func (s *Snapshot) read(o SnapshotOptions) error {
	return guarded(func() error {
		keys, meta := s.tx.Bucket([]byte("key")), s.tx.Bucket([]byte("meta"))
		if keys == nil || meta == nil {
			return fmt.Errorf("%w: it is a bbolt database of another program, with the buckets %s; name what etcdctl snapshot save has written", ErrNotSnapshot, s.bucketNames())
		}
		if v := string(meta.Get([]byte("storageVersion"))); newer(v) {
			return fmt.Errorf("%w: it is of a newer etcd, with storage %.20s, and %s is the newest known; upgrade this zkine", ErrNotSnapshot, v, newestStorage)
		}
		c := &Contents{Keys: s.versions}
		c.Compact = floorOf(meta)
		s.index = &index{file: s.file, mapped: s.db.Info().Data, end: s.Size}
		if err := s.index.readKeys(keys, int64(c.Compact)); err != nil {
			return err
		}
		s.contents = c
		if err := s.readHistory(o); err != nil {
			return err
		}
		if err := s.readLeases(); err != nil {
			return err
		}
		if err := s.readAuth(); err != nil {
			return err
		}
		s.readLeftOut()
		return nil
	})
}

// readHistory fills in what the keys tell of the history.
func (s *Snapshot) readHistory(o SnapshotOptions) (err error) {
	c, ix := s.contents, s.index
	if ix.hole > 0 && !o.Raised {
		return fmt.Errorf("%w: it has no changes of revision %d; leave it out with --bump-revision and --mark-compacted", ErrHoles, ix.hole)
	}
	c.Revision = max(1, c.Compact)
	if n := len(ix.entries); n > 0 {
		c.Revision = max(c.Revision, revision.Rev(ix.entries[n-1].main))
	}
	if r := ix.raise; r.main > 0 {
		c.Revision = max(c.Revision, revision.Rev(r.main))
		if r.main > int64(c.Compact) && !o.Raised {
			return fmt.Errorf("%w: its revision was raised to %d, and it was not compacted there; leave it out with --bump-revision and --mark-compacted", ErrHoles, r.main)
		}
		c.RaisedTo, c.RaisedSub = revision.Rev(r.main), r.sub
	}
	if c.FloorEvents, err = ix.floorEvents(int64(c.Compact)); err != nil {
		return err
	}
	c.Count, c.Bytes = int64(len(ix.entries)), ix.bytes
	hash, err := ix.hashKV(c.Compact)
	c.Hash = &hash
	return err
}

// floorOf is at which revision the history was compacted, whether or not etcd had
// finished that; -1 for never.
func floorOf(meta *bbolt.Bucket) revision.Rev {
	floor := revision.Rev(-1)
	for _, name := range []string{"scheduledCompactRev", "finishedCompactRev"} {
		if v := meta.Get([]byte(name)); len(v) >= 8 {
			floor = max(floor, revision.Rev(binary.BigEndian.Uint64(v)))
		}
	}
	return floor
}

func (s *Snapshot) readLeases() error {
	err := s.each("lease", func(k, v []byte) error {
		l := state.Lease{}
		for rest := v; len(rest) > 0; { // leasepb.Lease: ID, TTL, RemainingTTL
			number, kind, n := protowire.ConsumeTag(rest)
			size := -1
			var value uint64
			if n > 0 && kind == protowire.VarintType {
				value, size = protowire.ConsumeVarint(rest[n:])
			}
			if size < 0 {
				return fmt.Errorf("%w: a lease is cut short; fetch it again", ErrDamaged)
			}
			switch rest = rest[n+size:]; number {
			case 1:
				l.ID = int64(value)
			case 2:
				l.TTL = int64(value)
			case 3:
				l.Remaining = int64(value)
			}
		}
		if len(k) != 8 || l.ID == 0 || l.TTL < 1 || l.TTL > state.MaxLeaseTTL || l.Remaining < 0 {
			return fmt.Errorf("%w: lease %x of %d s; fetch it again", ErrDamaged, uint64(l.ID), l.TTL)
		}
		s.contents.Leases = append(s.contents.Leases, l)
		return nil
	})
	// The file has the negative ids behind the others.
	slices.SortFunc(s.contents.Leases, func(a, b state.Lease) int { return cmp.Compare(a.ID, b.ID) })
	return err
}

func (s *Snapshot) readAuth() error {
	c := s.contents
	if auth := s.tx.Bucket([]byte("auth")); auth != nil {
		enabled := auth.Get([]byte("authEnabled"))
		c.AuthEnabled = len(enabled) == 1 && enabled[0] == 1
		if v := auth.Get([]byte("authRevision")); len(v) == 8 {
			c.AuthRevision = binary.BigEndian.Uint64(v)
		}
	}
	err := s.each("authUsers", func(_, v []byte) error {
		u := new(authpb.User)
		c.Users = append(c.Users, u)
		return decode("a user", v, u)
	})
	if err != nil {
		return err
	}
	return s.each("authRoles", func(_, v []byte) error {
		r := new(authpb.Role)
		c.Roles = append(c.Roles, r)
		return decode("a role", v, r)
	})
}

func decode(what string, v []byte, m proto.Message) error {
	if err := proto.Unmarshal(v, m); err != nil {
		return fmt.Errorf("%w: %s: %w; fetch it again", ErrDamaged, what, err)
	}
	return nil
}

// readLeftOut notes what is the old cluster's.
func (s *Snapshot) readLeftOut() {
	count := func(name string) (n int) {
		s.each(name, func(_, _ []byte) error { n++; return nil }) //nolint:errcheck // it counts
		return n
	}
	leftOut := func(format string, args ...any) { s.LeftOut = append(s.LeftOut, fmt.Sprintf(format, args...)) }
	if n := count("alarm"); n > 0 {
		leftOut("%d alarms that were raised", n)
	}
	if n := count("members"); n > 0 {
		leftOut("the list of %d members", n)
	}
	cluster := s.tx.Bucket([]byte("cluster"))
	if cluster == nil {
		return
	}
	if v := cluster.Get([]byte("clusterVersion")); v != nil {
		leftOut("the cluster's version, %.20s", v)
	}
	if v := cluster.Get([]byte("downgrade")); strings.Contains(string(v), `"enabled":true`) {
		leftOut("a downgrade that was under way")
	}
}

// each calls f with the entries of a bucket, if there is one.
func (s *Snapshot) each(name string, f func(k, v []byte) error) error {
	bucket := s.tx.Bucket([]byte(name))
	if bucket == nil {
		return nil
	}
	return bucket.ForEach(f)
}

func (s *Snapshot) bucketNames() string {
	var names []string
	s.tx.ForEach(func(name []byte, _ *bbolt.Bucket) error { //nolint:errcheck // it lists
		if len(names) < 10 {
			names = append(names, fmt.Sprintf("%.30q", name))
		}
		return nil
	})
	return strings.Join(names, ", ")
}

// newer says whether a version of etcd's storage is above the newest known; "" is
// that of an etcd before 3.6, or of one that has just begun.
func newer(version string) bool {
	var major, minor, knownMajor, knownMinor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	fmt.Sscanf(newestStorage, "%d.%d", &knownMajor, &knownMinor) //nolint:errcheck // a constant
	return major > knownMajor || major == knownMajor && minor > knownMinor
}
