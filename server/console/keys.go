package console

import (
	"bytes"
	"net/http"
	"strconv"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

const (
	// mostEntries is how many entries a page has at most, and someEntries if it is not said.
	mostEntries = 1000
	someEntries = 200
	// mostPageBytes is how many bytes of keys a page has, nearly.
	mostPageBytes = 1 << 20
	// someKeys is how many keys are asked for at first.
	someKeys = 32
)

// entry is a key, or a folder of keys, in a list.
type entry struct {
	// Key is the key, or the prefix that a folder stands for; see keyText.
	Key string `json:"key"`
	// Name is what of it is below the prefix that is listed.
	Name string `json:"name"`
	// Count is how many keys a folder has; 0 for a key.
	Count    int64 `json:"count,omitempty"`
	Revision int64 `json:"revision,omitempty"`
	Version  int64 `json:"version,omitempty"`
	Lease    int64 `json:"lease,omitempty"`
}

// page is a part of a list.
type page struct {
	// Count is how many keys there are below the prefix, Revision the store's.
	Count    int64   `json:"count"`
	Revision int64   `json:"revision"`
	Entries  []entry `json:"entries"`
	// Next is where the next page begins, empty after the last one.
	Next string `json:"next,omitempty"`
}

// keys lists what is below a prefix, with a folder for all that has one more "/": ?prefix= &from= &limit=. from is the
// next of the page before.
func (c *Console) keys(r *http.Request, by *caller) (any, error) {
	prefix, from, err := startOf(r)
	if err != nil {
		return nil, err
	}
	limit := someEntries
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && n > 0 {
		limit = min(n, mostEntries)
	}
	l := lister{by: by, prefix: prefix, end: prefixEnd(prefix), next: from, batch: someKeys}
	return l.page(limit)
}

// lister makes one page.
type lister struct {
	by          *caller
	prefix, end []byte
	next        []byte // where the next keys are to be read; nil at the end
	batch       int64
	out         page
	size        int
}

func (l *lister) page(limit int) (*page, error) {
	count, err := l.by.kv().Range(l.by.ctx, &pb.RangeRequest{Key: firstKey(l.prefix), RangeEnd: l.end, CountOnly: true, Serializable: true})
	if err != nil {
		return nil, err
	}
	l.out = page{Count: count.Count, Revision: count.Header.Revision, Entries: []entry{}}
	for l.next != nil && len(l.out.Entries) < limit && l.size < mostPageBytes {
		if err := l.read(limit); err != nil {
			return nil, err
		}
	}
	if l.next != nil {
		l.out.Next = keyText(l.next)
	}
	return &l.out, nil
}

// read adds the entries of some keys. Behind a folder it goes on after the folder's last key, wherever that is.
func (l *lister) read(limit int) error {
	resp, err := l.by.kv().Range(l.by.ctx, &pb.RangeRequest{Key: l.next, RangeEnd: l.end, Limit: l.batch, KeysOnly: true, Serializable: true})
	if err != nil {
		return err
	}
	var last []byte
	for _, kv := range resp.Kvs {
		if bytes.Compare(kv.Key, l.next) < 0 {
			continue // in the folder before
		}
		if len(l.out.Entries) == limit || l.size >= mostPageBytes {
			l.next = kv.Key
			return nil
		}
		if folder := l.folder(kv.Key); folder != nil {
			if err := l.addFolder(folder); err != nil || l.next == nil {
				return err
			}
		} else {
			l.addKey(kv)
		}
		last = kv.Key
	}
	switch {
	case !resp.More:
		l.next = nil
	case bytes.Compare(last, l.next) < 0: // the rest of the batch was in one folder
		l.batch = max(1, l.batch/4)
	default:
		l.batch = min(l.batch*4, mostEntries)
	}
	return nil
}

// folder is the prefix of the folder that a key is in; nil for a key of this list. A "/" at the begin belongs to the
// name.
func (l *lister) folder(key []byte) []byte {
	rest := key[len(l.prefix):]
	if len(rest) < 2 {
		return nil
	}
	i := bytes.IndexByte(rest[1:], '/')
	if i < 0 {
		return nil
	}
	return key[:len(l.prefix)+1+i+1]
}

func (l *lister) addFolder(folder []byte) error {
	end := prefixEnd(folder)
	resp, err := l.by.kv().Range(l.by.ctx, &pb.RangeRequest{Key: folder, RangeEnd: end, CountOnly: true, Serializable: true})
	if err != nil {
		return err
	}
	l.add(entry{Key: keyText(folder), Name: keyText(folder[len(l.prefix):]), Count: resp.Count})
	if l.next = end; len(end) == 1 && end[0] == 0 {
		l.next = nil
	}
	return nil
}

func (l *lister) addKey(kv *mvccpb.KeyValue) {
	l.add(entry{
		Key: keyText(kv.Key), Name: keyText(kv.Key[len(l.prefix):]),
		Revision: kv.ModRevision, Version: kv.Version, Lease: kv.Lease,
	})
	l.next = append(bytes.Clone(kv.Key), 0)
}

func (l *lister) add(e entry) {
	l.out.Entries = append(l.out.Entries, e)
	l.size += len(e.Key) + len(e.Name)
}
