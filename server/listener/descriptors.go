package listener

import "fmt"

const (
	// ReservedDescriptors are kept for the process itself, as etcd keeps 150: the ways
	// to ZooKeeper, files, and MetricsConnections.
	ReservedDescriptors = 150
	// MetricsConnections bounds the connections of the metrics URLs together. Probes
	// have room there whatever happens on the client URLs.
	MetricsConnections = 64
	// mostConnections bounds the connections of clients where there is no limit of
	// open files.
	mostConnections = 1 << 20
)

// ClientConnections is how many connections of clients the limit of open files
// (RLIMIT_NOFILE) leaves room for. The error names the limit.
func ClientConnections() (int, error) {
	limit, err := openFiles()
	if err != nil {
		return 0, fmt.Errorf("the limit of open files cannot be read: %w", err)
	}
	return connectionsWithin(limit)
}

func connectionsWithin(limit uint64) (int, error) {
	if limit <= ReservedDescriptors {
		return 0, fmt.Errorf("the limit of %d open files leaves none for clients: zkine keeps %d for itself; raise it, with ulimit -n or LimitNOFILE=, to 1024 or more",
			limit, ReservedDescriptors)
	}
	return int(min(limit-ReservedDescriptors, mostConnections)), nil
}
