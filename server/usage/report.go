package usage

// Number is a count, or a rate.
type Number interface{ int64 | float64 }

// Counts are what is counted of a prefix or a client.
type Counts[N Number] struct {
	// Writes are puts and deletes that were executed, those in transactions too.
	Writes N `json:"writes"`
	// Reads are ranges that were executed, those in transactions too. A transaction
	// whose branch is empty counts as one for the key that it compares.
	Reads N `json:"reads"`
	// Events are those that watchers were sent: one for each watcher.
	Events N `json:"events"`
	// BytesWritten are those of keys and values put. BytesRead are those of keys and
	// values answered to reads, and to writes that ask for previous ones; of a client
	// also those of snapshots. BytesWatched are those in events.
	BytesWritten N `json:"bytes_written"`
	BytesRead    N `json:"bytes_read"`
	BytesWatched N `json:"bytes_watched"`
	// Errors are calls that failed; of a prefix, those about its keys.
	Errors N `json:"errors"`
	// Calls are all calls of a client, and what it asks for on streams: watchers, and
	// leases to be kept alive, which KeepAlives are. Both are 0 for a prefix.
	Calls      N `json:"calls"`
	KeepAlives N `json:"keepalives"`
}

// Totals are counts.
type Totals = Counts[int64]

// Rates are counts per second.
type Rates = Counts[float64]

// Activity is how busy something is.
type Activity struct {
	// Rates are those over the report's interval.
	Rates
	// Watchers are those open now.
	Watchers int64 `json:"watchers"`
	// Total is what was counted since the thing is known: since the zkine's start,
	// unless it was forgotten for busier ones in the meantime.
	Total Totals `json:"total"`
}

// Add adds the activity of something else.
func (a *Activity) Add(b *Activity) {
	a.Rates.add(&b.Rates)
	a.Watchers += b.Watchers
	a.Total.add(&b.Total)
}

// Busy is how much is asked and sent, per second.
func (a *Activity) Busy() float64 { return a.Rates.weight() }

// Prefix is a prefix of keys.
type Prefix struct {
	// Prefix is what the keys begin with, printable, cut if it is long: never a whole
	// key. It is "" for keys without a "/", and for ranges over everything.
	Prefix string `json:"prefix"`
	// Resource is Kubernetes' name for what is stored there, as in kubectl ("pods",
	// "crontabs.stable.example.com"), and Namespace its namespace; "" if it has none.
	Resource  string `json:"resource,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Activity
}

// Client is where calls come from.
type Client struct {
	// Address is the client's without its port; "unix" for a Unix socket, "zkine" for
	// what the server asks itself. It is that of the client of the JSON gateway, too.
	Address string `json:"address"`
	// User is who has logged in; "" while users do not count.
	User string `json:"user,omitempty"`
	// Certificate is the common name of the client's certificate, if it was verified.
	Certificate string `json:"certificate,omitempty"`
	// UserAgent is what the client calls itself.
	UserAgent string `json:"user_agent,omitempty"`
	Activity
}

// Report is who asked for what.
type Report struct {
	// Interval is how long the rates are over, in seconds: about as long as was asked
	// for, less after a start.
	Interval float64 `json:"interval_seconds"`
	// Recording is since when totals are counted, in seconds.
	Recording float64 `json:"recording_seconds"`
	// All is the sum of all clients: every call is in it.
	All Activity `json:"all"`
	// Prefixes and Clients are the busiest ones, by calls and events in the interval,
	// then by watchers. OtherPrefixes and OtherClients are the sums of those that are not
	// listed.
	Prefixes      []Prefix `json:"prefixes"`
	Clients       []Client `json:"clients"`
	OtherPrefixes Activity `json:"other_prefixes"`
	OtherClients  Activity `json:"other_clients"`
}

// add adds another count.
func (c *Counts[N]) add(d *Counts[N]) {
	c.Writes += d.Writes
	c.Reads += d.Reads
	c.Events += d.Events
	c.BytesWritten += d.BytesWritten
	c.BytesRead += d.BytesRead
	c.BytesWatched += d.BytesWatched
	c.Errors += d.Errors
	c.Calls += d.Calls
	c.KeepAlives += d.KeepAlives
}

// since is what was counted after an earlier count.
func (c *Counts[N]) since(before *Counts[N]) Counts[N] {
	return Counts[N]{
		Writes: c.Writes - before.Writes, Reads: c.Reads - before.Reads, Events: c.Events - before.Events,
		BytesWritten: c.BytesWritten - before.BytesWritten, BytesRead: c.BytesRead - before.BytesRead,
		BytesWatched: c.BytesWatched - before.BytesWatched, Errors: c.Errors - before.Errors,
		Calls: c.Calls - before.Calls, KeepAlives: c.KeepAlives - before.KeepAlives,
	}
}

// weight is how busy it is: what is asked and what is sent.
func (c *Counts[N]) weight() float64 {
	return float64(c.Calls + c.Writes + c.Reads + c.Events + c.Errors)
}

// per is a count per second.
func per(c *Totals, seconds float64) Rates {
	if seconds <= 0 {
		return Rates{}
	}
	rate := func(n int64) float64 { return float64(n) / seconds }
	return Rates{
		Writes: rate(c.Writes), Reads: rate(c.Reads), Events: rate(c.Events),
		BytesWritten: rate(c.BytesWritten), BytesRead: rate(c.BytesRead), BytesWatched: rate(c.BytesWatched),
		Errors: rate(c.Errors), Calls: rate(c.Calls), KeepAlives: rate(c.KeepAlives),
	}
}
