package console

import (
	"bytes"
	"net/http"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const (
	// mostFound is how many keys a search finds at a time, if they are short: mostPageBytes bounds them, too.
	mostFound = 200
	// searchTime is how long a search goes on until it tells how far it has come.
	searchTime = time.Second
	// maxPattern bounds what is searched for, in bytes.
	maxPattern = 1 << 10
)

// found is what a search has found so far.
type found struct {
	Entries []entry `json:"entries"`
	// Searched is how many keys were looked at.
	Searched int `json:"searched"`
	// Next is where to go on, empty at the end.
	Next string `json:"next,omitempty"`
}

// search finds keys below a prefix that contain a text, in any case: ?prefix= &text= &from=. Values are not searched.
func (c *Console) search(r *http.Request, by *caller) (any, error) {
	prefix, from, err := startOf(r)
	if err != nil {
		return nil, err
	}
	text := r.URL.Query().Get("text")
	if text == "" || len(text) > maxPattern {
		return nil, refusal{http.StatusBadRequest, "say what to search for"}
	}
	pattern := bytes.ToLower(parseKey(text))
	out, end, size := found{Entries: []entry{}}, prefixEnd(prefix), 0
	for began := time.Now(); ; {
		resp, err := by.kv().Range(by.ctx, &pb.RangeRequest{Key: from, RangeEnd: end, Limit: mostEntries, KeysOnly: true, Serializable: true})
		if err != nil {
			return nil, err
		}
		for _, kv := range resp.Kvs {
			out.Searched++
			from = append(bytes.Clone(kv.Key), 0)
			if !bytes.Contains(bytes.ToLower(kv.Key), pattern) {
				continue
			}
			name := keyText(kv.Key)
			out.Entries = append(out.Entries, entry{Key: name, Name: name, Revision: kv.ModRevision, Version: kv.Version, Lease: kv.Lease})
			size += 2 * len(name)
			if len(out.Entries) == mostFound || size >= mostPageBytes {
				out.Next = keyText(from)
				return out, nil
			}
		}
		if !resp.More {
			return out, nil
		}
		if time.Since(began) > searchTime {
			out.Next = keyText(from)
			return out, nil
		}
	}
}
