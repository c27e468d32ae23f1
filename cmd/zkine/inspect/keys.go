package inspect

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/server/usage"
)

// maxPrefixes bounds how many prefixes are counted apart; keys with further ones are
// counted together.
const maxPrefixes = 20_000

// counting adds up keys that come in the order of a checkpoint: a key's versions
// together, oldest first.
type counting struct {
	folders    *usage.Folders
	depth, top int

	keys     Keys
	prefixes map[string]*Prefix
	others   Prefix
	leases   map[int64]int64 // of those that there are, how many keys
	// last is the newest version so far of the key that is read.
	last    *mvccpb.KeyValue
	lastLen int64
}

func newCounting(depth, top int, leases map[int64]int64) *counting {
	return &counting{folders: usage.NewFolders(), depth: depth, top: top, prefixes: map[string]*Prefix{}, leases: leases}
}

// read takes chunks in, one at a time.
func (c *counting) read(chunks iter.Seq2[[]byte, error], progress func(bytes int)) error {
	for chunk, err := range chunks {
		if err != nil {
			return err
		}
		var keys recordpb.CheckpointKeys
		if err := proto.Unmarshal(chunk, &keys); err != nil {
			return fmt.Errorf("%w: a chunk of a checkpoint: %w", revision.ErrCorrupt, err)
		}
		for _, v := range keys.Versions {
			kv := new(mvccpb.KeyValue)
			if err := proto.Unmarshal(v.Kv, kv); err != nil {
				return fmt.Errorf("%w: a key in a chunk of a checkpoint: %w", revision.ErrCorrupt, err)
			}
			c.version(kv)
		}
		if progress != nil {
			progress(len(chunk))
		}
	}
	c.end()
	return nil
}

// version takes one version in. Whether it is the newest shows with the next one.
func (c *counting) version(kv *mvccpb.KeyValue) {
	if c.last != nil && string(c.last.Key) == string(kv.Key) {
		c.old(c.last, c.lastLen)
	} else {
		c.end()
	}
	c.lastLen = int64(len(kv.Key) + len(kv.Value))
	kv.Value = nil // it need not be held
	c.last = kv
}

// end takes the key in that was read last.
func (c *counting) end() {
	kv := c.last
	if kv == nil {
		return
	}
	c.last = nil
	if kv.Version == 0 { // deleted
		c.old(kv, c.lastLen)
		return
	}
	c.keys.Live++
	c.keys.Bytes += c.lastLen
	p := c.prefix(kv.Key)
	p.Live++
	p.Bytes += c.lastLen
	if _, is := c.leases[kv.Lease]; is {
		c.leases[kv.Lease]++
	}
	value := c.lastLen - int64(len(kv.Key))
	at, _ := slices.BinarySearchFunc(c.keys.Largest, value, func(k Key, n int64) int { return cmp.Compare(n, k.Bytes) })
	if at < c.top {
		c.keys.Largest = slices.Insert(c.keys.Largest, at, Key{Key: readable(string(kv.Key)), Bytes: value, Version: kv.Version, ModRevision: kv.ModRevision, Lease: kv.Lease})
		c.keys.Largest = c.keys.Largest[:min(len(c.keys.Largest), c.top)]
	}
}

// old counts a version that is not the newest, or a deletion.
func (c *counting) old(kv *mvccpb.KeyValue, size int64) {
	c.keys.Versions++
	c.keys.VersionBytes += size
	p := c.prefix(kv.Key)
	p.Versions++
	p.VersionBytes += size
}

func (c *counting) prefix(key []byte) *Prefix {
	name := string(c.folders.Of(key, c.depth))
	if p := c.prefixes[name]; p != nil {
		return p
	}
	if len(c.prefixes) >= maxPrefixes {
		return &c.others
	}
	p := &Prefix{Prefix: readable(name)}
	c.prefixes[name] = p
	return p
}

// result is what was counted, cut to the largest.
func (c *counting) result() *Keys {
	for _, p := range c.prefixes {
		c.keys.Prefixes = append(c.keys.Prefixes, *p)
	}
	slices.SortFunc(c.keys.Prefixes, func(a, b Prefix) int {
		return cmp.Or(cmp.Compare(b.all(), a.all()), cmp.Compare(a.Prefix, b.Prefix))
	})
	if len(c.keys.Prefixes) > c.top {
		for _, p := range c.keys.Prefixes[c.top:] {
			c.others.Live, c.others.Bytes = c.others.Live+p.Live, c.others.Bytes+p.Bytes
			c.others.Versions, c.others.VersionBytes = c.others.Versions+p.Versions, c.others.VersionBytes+p.VersionBytes
		}
		c.keys.Prefixes = c.keys.Prefixes[:c.top]
	}
	if c.others != (Prefix{}) {
		c.keys.Others = &c.others
	}
	return &c.keys
}

// leaseTable is what is told of leases, with how many keys each has.
func leaseTable(all map[int64]*recordpb.CheckpointLease, keys map[int64]int64, top int) *Leases {
	out := &Leases{Count: len(all)}
	for id, l := range all {
		n := keys[id]
		out.Keys += n
		if n == 0 {
			out.Empty++
		}
		out.Largest = append(out.Largest, Lease{ID: strconv.FormatInt(id, 16), TTL: l.Ttl, Keys: n})
	}
	slices.SortFunc(out.Largest, func(a, b Lease) int { return cmp.Or(cmp.Compare(b.Keys, a.Keys), cmp.Compare(a.ID, b.ID)) })
	out.Largest = out.Largest[:min(len(out.Largest), top)]
	return out
}

func readable(text string) string {
	quoted := strconv.Quote(text)
	if quoted == `"`+text+`"` {
		return text
	}
	return quoted
}
