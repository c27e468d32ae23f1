package rig

import (
	"net"
	"strconv"

	"github.com/zkine/zkine/revision/embedded"
)

// loopback is where everything runs that is not put elsewhere.
const loopback = "127.0.0.1"

// FreeAddress is host:port with a port on which nothing listens, and that this process has not been given before.
func FreeAddress(host string) (string, error) {
	port, err := embedded.FreePort()
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// FreeAddresses are n such addresses of the loopback interface.
func FreeAddresses(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		var err error
		if addresses[i], err = FreeAddress(loopback); err != nil {
			return nil, err
		}
	}
	return addresses, nil
}
