package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Free ports are picked below the range that kernels take outgoing connections' ports from (32768 up): a port from
// that range could be taken by some connection while its server is down, and the server could never come back.
const (
	lowPort  = 20000
	highPort = 32000
)

var handedOut sync.Map // ports that FreePort returned: two servers being started must not get the same

// FreePort returns a loopback port that no process listens on, and that it has not returned before. On Linux it is also
// one that it has not returned to another process, as long as that lives: there nothing may listen on it yet, or just
// now. Tests of several packages, which start and kill servers all the time, would take each other's otherwise.
func FreePort() (int, error) {
	for range 1000 {
		port := lowPort + rand.IntN(highPort-lowPort)
		if _, taken := handedOut.LoadOrStore(port, true); taken {
			continue
		}
		// The claim comes first: looking takes the port for a moment, in which its owner's server could not have it.
		if claim(port) && free(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowPort, highPort)
}

// claims are what ports were claimed by: what nothing refers to would be closed.
var claims sync.Map

// claim makes a port this process's until that ends, unless another process has claimed it. A claim is a socket of a name
// that lives in the kernel alone, and goes with the process however that ends. Where there are no such names, everyone may
// have every port.
func claim(port int) bool {
	if runtime.GOOS != "linux" {
		return true
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: fmt.Sprintf("@zkine-port-%d", port)})
	if err != nil {
		return !errors.Is(err, syscall.EADDRINUSE)
	}
	claims.Store(port, c)
	return true
}

func free(port int) bool {
	l, err := net.Listen("tcp", address(loopback, port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// keptPort picks the client port for a data folder: the one in the file if it is free, so that what people and
// scripts noted stays right, and else a new one, noted there.
func keptPort(file string) (int, error) {
	if port, err := notedPort(file); err == nil && free(port) {
		return port, nil
	}
	port, err := FreePort()
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(port)+"\n"), 0o600); err != nil {
		return 0, folderError(err)
	}
	return port, nil
}

// portFile is below DataDir.
const portFile = "client-port"

// notedPort is the port in a file.
func notedPort(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err == nil && (port <= 0 || port > 65535) {
		err = fmt.Errorf("%d is none", port)
	}
	return port, err
}
