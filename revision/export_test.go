package revision

// PathOf tells tests which znode an operation is about.
var PathOf = pathOf

// What zkine does with a code of ZooKeeper's.
const (
	Expected = expected
	Again    = again
	Anew     = anew
	Refuse   = refuse
	Stop     = stop
)

// KnownCode is a row of the table of codes.
type KnownCode struct {
	Name     string
	Definite bool
	Does     reaction
	Sentinel error
	Client   error
	Remedy   string
}

// KnownCodes is the table, by number.
func KnownCodes() map[int]KnownCode {
	out := map[int]KnownCode{}
	for _, c := range keeperCodes {
		out[int(c.number)] = KnownCode{c.name, c.definite, c.does, c.sentinel, c.client, c.remedy}
	}
	return out
}

// Named is what a call on a znode makes of a client's error.
var Named = named
