package revision

// Member is a running zkine, as its ephemeral znode describes it.
type Member struct {
	// Name is the znode's name, unique among the running members of a root.
	Name string `json:"name"`
	// ID is stable for a name on a root.
	ID uint64 `json:"id"`
	// ClientURLs are where clients reach it.
	ClientURLs []string `json:"client_urls"`
	// Keeper marks the longest-lived member, which proposes lease expiry and
	// does the housekeeping. Two may believe so at once; all that a keeper
	// does is decided by the log.
	Keeper bool `json:"-"`
}
