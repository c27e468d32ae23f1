package listener

import (
	"errors"
	"fmt"
	"math"
	"net"
	"syscall"
)

// openFiles is the limit of open files of this process, of which Windows has none.
func openFiles() (uint64, error) { return math.MaxUint64, nil }

// control refuses to share ports: on Windows any process could take one over.
func (r Reuse) control(_, _ string, _ syscall.RawConn) error {
	if r.Port || r.Address {
		return errors.New("--socket-reuse-port and --socket-reuse-address are not for this system")
	}
	return nil
}

// listenUnix refuses sockets in the file system: on Windows no mode keeps them to one user.
func listenUnix(flag, rawURL, _ string) (net.Listener, error) {
	return nil, fmt.Errorf("listen URL %q in %s: this system cannot keep a socket file to one user; name an http or https URL", rawURL, flag)
}
