package fourletter

import (
	"errors"
	"strconv"
	"strings"
)

// Stats are what a server says of itself in answer to srvr. Latencies are those of
// requests since it was started, in milliseconds.
type Stats struct {
	Version, Mode, Zxid                string
	LatencyMin, LatencyAvg, LatencyMax float64
	Connections, Outstanding, Znodes   int64
}

// Errors of ReadSrvr.
var (
	// ErrNotAllowed is of a server that has srvr not on its whitelist.
	ErrNotAllowed = errors.New("srvr is not on its 4lw.commands.whitelist")
	// ErrNotServing is of a server without a quorum, and of anything else that answers.
	ErrNotServing = errors.New("it does not serve")
)

// ReadSrvr reads an answer to srvr. What it does not know it leaves out. Errors:
// ErrNotAllowed, ErrNotServing.
func ReadSrvr(answer string) (Stats, error) {
	var s Stats
	for line := range strings.Lines(answer) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch strings.ToLower(name) {
		case "zookeeper version":
			s.Version, _, _ = strings.Cut(value, "-")
		case "latency min/avg/max":
			parts := strings.Split(value, "/")
			for i, to := range []*float64{&s.LatencyMin, &s.LatencyAvg, &s.LatencyMax} {
				if i < len(parts) {
					*to, _ = strconv.ParseFloat(parts[i], 64)
				}
			}
		case "connections":
			s.Connections, _ = strconv.ParseInt(value, 10, 64)
		case "outstanding":
			s.Outstanding, _ = strconv.ParseInt(value, 10, 64)
		case "node count":
			s.Znodes, _ = strconv.ParseInt(value, 10, 64)
		case "zxid":
			s.Zxid = value
		case "mode":
			s.Mode = value
		}
	}
	switch {
	case s.Mode != "":
		return s, nil
	case strings.Contains(answer, "not in the whitelist"):
		return s, ErrNotAllowed
	}
	return s, ErrNotServing
}
