package zkmember

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// List lists the members of a root, the keeper first, then in order of age. strange
// hears of znodes among them that are no member's. Error: ErrUnavailable.
func List(ctx context.Context, conn zkroot.Nodes, l zkroot.Layout, strange func(path string)) ([]revision.Member, error) {
	names, err := conn.Children(ctx, l.Members())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", revision.ErrUnavailable, err)
	}
	type aged struct {
		revision.Member
		czxid int64
	}
	var found []aged
	for _, name := range names {
		path := l.Member(name)
		data, stat, err := conn.Get(ctx, path)
		if errors.Is(err, zk.ErrNoNode) {
			continue // it has left by now
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", revision.ErrUnavailable, err)
		}
		record, err := parseMember(data)
		if err != nil || record.Name != name {
			strange(path)
			continue
		}
		found = append(found, aged{record.Member, stat.Czxid})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].czxid < found[j].czxid })
	members := make([]revision.Member, len(found))
	for i, f := range found {
		members[i] = f.Member
	}
	return members, nil
}
