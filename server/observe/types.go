package observe

// Member is where a zkine stands.
type Member struct {
	ID      uint64 `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	// NotReady is why it does not serve; "" while it does.
	NotReady        string `json:"not_ready,omitempty"`
	Revision        int64  `json:"revision"`
	CompactRevision int64  `json:"compact_revision"`
	// KnownIndex is the last place in the log that it knows of, AppliedIndex the one
	// that its state has reached.
	KnownIndex   uint64 `json:"known_index"`
	AppliedIndex uint64 `json:"applied_index"`
	// Keeper is the id of the member that does the housekeeping; 0 if none is known.
	Keeper uint64 `json:"keeper"`
	// StoreBytes are those that the root has in ZooKeeper, LiveBytes what of them is in
	// use. QuotaBytes bounds StoreBytes; it is negative for no bound.
	StoreBytes int64 `json:"store_bytes"`
	LiveBytes  int64 `json:"live_bytes"`
	QuotaBytes int64 `json:"quota_bytes"`
	// UptimeSeconds is since when the process runs. ResidentBytes are those of its
	// memory that are resident, 0 where that is not known, and CPUSeconds the processor
	// time that it has taken.
	UptimeSeconds float64 `json:"uptime_seconds"`
	ResidentBytes int64   `json:"resident_bytes"`
	CPUSeconds    float64 `json:"cpu_seconds"`
	// Connections are those of clients.
	Connections int `json:"connections"`
}

// Server is a ZooKeeper server, as its four-letter word srvr has it. With Error nothing
// but the address is known.
type Server struct {
	Address string `json:"address"`
	Error   string `json:"error,omitempty"`
	// Mode is leader, follower, observer or standalone.
	Mode    string `json:"mode,omitempty"`
	Version string `json:"version,omitempty"`
	// AnsweredMs is how long srvr took, from dialling on; the others are how long
	// requests took since the server was started, in milliseconds.
	AnsweredMs   float64 `json:"answered_ms"`
	LatencyMinMs float64 `json:"latency_min_ms"`
	LatencyAvgMs float64 `json:"latency_avg_ms"`
	LatencyMaxMs float64 `json:"latency_max_ms"`
	Connections  int64   `json:"connections"`
	Outstanding  int64   `json:"outstanding"`
	Znodes       int64   `json:"znodes"`
	Zxid         string  `json:"zxid,omitempty"`
}
