package console

import (
	"net/http"
	"strconv"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// statusAnswer is where this member stands, and who the others are. Ids are hexadecimal, as etcdctl writes them.
type statusAnswer struct {
	Member   string `json:"member"`
	Revision int64  `json:"revision"`
	// Size and InUse are etcd's dbSize and dbSizeInUse, Quota bounds the first, in bytes; negative for no bound.
	Size  int64 `json:"size"`
	InUse int64 `json:"in_use"`
	Quota int64 `json:"quota"`
	// Index is the last place in the log that is known, Applied the one that the state has reached.
	Index   string `json:"index"`
	Applied string `json:"applied"`
	Behind  uint64 `json:"behind"`
	Term    uint64 `json:"term"`
	// Keeper is the member that does the housekeeping; empty without a quorum of ZooKeeper.
	Keeper  string         `json:"keeper,omitempty"`
	Errors  []string       `json:"errors"`
	Members []memberAnswer `json:"members"`
}

type memberAnswer struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	ClientURLs []string `json:"client_urls"`
}

func hexID(id uint64) string { return strconv.FormatUint(id, 16) }

// status asks what any client may ask. It is answered from memory, also while ZooKeeper is away.
func (c *Console) status(_ *http.Request, by *caller) (any, error) {
	st, err := by.maintenance().Status(by.ctx, &pb.StatusRequest{})
	if err != nil {
		return nil, err
	}
	list, err := pb.NewClusterClient(by.Conn).MemberList(by.ctx, &pb.MemberListRequest{})
	if err != nil {
		return nil, err
	}
	a := statusAnswer{
		Member: hexID(by.MemberID), Revision: st.Header.Revision, Size: st.DbSize, InUse: st.DbSizeInUse, Quota: st.DbSizeQuota,
		Index: place(st.RaftIndex), Applied: place(st.RaftAppliedIndex), Behind: st.RaftIndex - min(st.RaftAppliedIndex, st.RaftIndex),
		Term: st.RaftTerm, Errors: append([]string{}, st.Errors...), Members: []memberAnswer{},
	}
	if st.Leader != 0 {
		a.Keeper = hexID(st.Leader)
	}
	for _, m := range list.Members {
		a.Members = append(a.Members, memberAnswer{hexID(m.ID), m.Name, append([]string{}, m.ClientURLs...)})
	}
	return a, nil
}

// place is a place in the log as zkine writes it: segment/slot; the index counts slots from 1.
func place(index uint64) string {
	return strconv.FormatUint(index>>32, 10) + "/" + strconv.FormatUint(index&(1<<32-1), 10)
}
