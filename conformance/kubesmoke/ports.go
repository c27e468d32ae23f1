package main

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// ports hands out free TCP ports on the loopback address, each once.
//
// They lie below Linux's ephemeral range. Inside it, a client that redials a server that is down can be given the
// server's port as its own and connect to itself; the server then cannot come back.
type ports struct{ given map[int]bool }

const (
	lowestPort  = 20000
	highestPort = 32000
)

// next returns a port on which nobody listens.
func (p *ports) next() (int, error) {
	if p.given == nil {
		p.given = map[int]bool{}
	}
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if p.given[port] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return 0, err
		}
		p.given[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowestPort, highestPort)
}
