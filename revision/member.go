package revision

// Member is a running zkine, as its ephemeral znode describes it. The one that
// has been listed for longest is the keeper, which proposes lease expiry and
// does the housekeeping. Two may believe so at once; all that a keeper does is
// decided by the log.
type Member struct {
	// Name is the znode's name, unique among the running members of a root.
	Name string `json:"name"`
	// ID is stable for a name on a root.
	ID uint64 `json:"id"`
	// ClientURLs are where clients reach it.
	ClientURLs []string `json:"client_urls"`
	// ReadLeases says that it knows what a read lease is: the lease is not taken
	// while a member is listed that does not.
	ReadLeases bool `json:"read_leases,omitempty"`
	// Origins says that it knows that batches may say where they come from: none
	// does while a member is listed that does not.
	Origins bool `json:"origins,omitempty"`
}
