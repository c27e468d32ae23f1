package console

import (
	"net/http"
	"strconv"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/server/console/kube"
)

// version is a key's value at a revision, readable.
type version struct {
	Key string `json:"key"`
	// Created, Modified, Version and Lease are etcd's create_revision, mod_revision, version and lease.
	Created  int64 `json:"created"`
	Modified int64 `json:"modified"`
	Version  int64 `json:"version"`
	Lease    int64 `json:"lease,omitempty"`
	// Bytes is how long the value is.
	Bytes int `json:"bytes"`
	// Deleted says that this revision deleted the key.
	Deleted bool `json:"deleted,omitempty"`
	kube.Document
}

func (c *Console) readable(kv *mvccpb.KeyValue, o kube.Options) version {
	return version{
		Key: keyText(kv.Key), Created: kv.CreateRevision, Modified: kv.ModRevision, Version: kv.Version, Lease: kv.Lease,
		Bytes: len(kv.Value), Document: c.decoder.Decode(kv.Key, kv.Value, o),
	}
}

// options are what is to be shown of a value: &managed=1 for managedFields.
func options(r *http.Request) kube.Options {
	return kube.Options{ManagedFields: r.URL.Query().Get("managed") == "1"}
}

// errNoKey says that there is no such key, at the revision that was asked for.
var errNoKey = refusal{http.StatusNotFound, "there is no such key"}

// value shows a key: ?key= &revision=, which is the current one if it is left out.
func (c *Console) value(r *http.Request, by *caller) (any, error) {
	key, err := keyOf(r, "key")
	if err != nil {
		return nil, err
	}
	revision, _ := strconv.ParseInt(r.URL.Query().Get("revision"), 10, 64)
	kv, err := by.get(key, max(revision, 0))
	if err != nil {
		return nil, err
	}
	if kv == nil {
		return nil, errNoKey
	}
	return c.readable(kv, options(r)), nil
}

// get reads one key at a revision, 0 for the current one; nil if it does not exist then.
func (c *caller) get(key []byte, revision int64) (*mvccpb.KeyValue, error) {
	resp, err := c.kv().Range(c.ctx, &pb.RangeRequest{Key: key, Revision: revision, Serializable: true})
	if err != nil || len(resp.Kvs) == 0 {
		return nil, err
	}
	return resp.Kvs[0], nil
}
