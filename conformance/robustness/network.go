package robustness

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Network is a network of its own for a run: each node is a network namespace
// with one interface, and what it sends comes here, packet by packet, and is
// dropped, delayed or handed to the node that it is for. So each direction
// between two nodes can be hurt by itself, and TCP meets that as it would on a
// wire. Nothing of it is left when the process ends.
//
// Each node has two goroutines: one that reads its packets, and one that holds
// the thread which starts its processes. All end with Close.
type Network struct {
	seed  uint64
	nodes sync.Map // *Node by the last byte of its address
	work  sync.WaitGroup

	mu    sync.RWMutex
	links map[[2]byte]Link // by source and destination; a missing one is sound
}

// Link is what becomes of packets in one direction.
type Link struct {
	// Cut drops them all.
	Cut bool
	// Loss is the share that is dropped.
	Loss float64
	// Delay is how much later they arrive; up to Jitter more, each by itself.
	Delay, Jitter time.Duration
}

// Node is a place in a Network.
type Node struct {
	net  *Network
	last byte // of its address
	ns   int  // a file descriptor of its namespace; -1 for this process's own
	tun  *os.File
	jobs chan func() // run on the node's thread
}

// network is the /24 that nodes are in.
var network = [3]byte{10, 88, 0}

const ownNode = 1 // the node of this process, where clients are

// newNetwork makes a network with a node for this process, which must be in a
// network namespace of its own (see namespaces.go).
func newNetwork(seed uint64) (*Network, *Node, error) {
	n := &Network{seed: seed, links: map[[2]byte]Link{}}
	own := &Node{net: n, last: ownNode, ns: -1}
	var err error
	if own.tun, err = openInterface(own.address()); err != nil {
		return nil, nil, err
	}
	n.serve(own)
	return n, own, nil
}

// node makes a node; last is the last byte of its address.
func (n *Network) node(last byte) (*Node, error) {
	node := &Node{net: n, last: last, jobs: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread is in another namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			node.ns, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		if err == nil {
			node.tun, err = openInterface(node.address())
		}
		made <- err
		for job := range node.jobs {
			job()
		}
	}()
	if err := <-made; err != nil {
		close(node.jobs)
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	n.serve(node)
	return node, nil
}

func (n *Network) serve(node *Node) {
	n.nodes.Store(node.last, node)
	n.work.Go(func() { n.forward(node) })
}

// Close ends the network. Processes in it are to be ended before.
func (n *Network) Close() {
	n.nodes.Range(func(_, v any) bool {
		node := v.(*Node)
		node.tun.Close() // nothing is expected of it any more
		if node.jobs != nil {
			close(node.jobs)
			unix.Close(node.ns) // likewise
		}
		return true
	})
	n.work.Wait()
}

func (n *Node) address() [4]byte { return [4]byte{network[0], network[1], network[2], n.last} }

// Host is the node's address.
func (n *Node) Host() string {
	a := n.address()
	return fmt.Sprintf("%d.%d.%d.%d", a[0], a[1], a[2], a[3])
}

// Enter puts the calling thread into the node, for good.
func (n *Node) Enter() error { return unix.Setns(n.ns, unix.CLONE_NEWNET) }

// Start starts a command in the node, on its thread, which lasts as long as the
// network does: a parent-death signal is sent when that ends.
func (n *Node) Start(cmd *exec.Cmd) error {
	result := make(chan error)
	n.jobs <- func() { result <- cmd.Start() }
	return <-result
}

// Set says what becomes of packets from a node to another.
func (n *Network) Set(from, to *Node, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[[2]byte{from.last, to.last}] = l
}

// Mend makes all links sound again.
func (n *Network) Mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.links)
}

func (n *Network) link(from, to byte) Link {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.links[[2]byte{from, to}]
}

// forward handles what a node sends.
func (n *Network) forward(from *Node) {
	r := rand.New(rand.NewPCG(n.seed, uint64(from.last)))
	buffer := make([]byte, 64<<10)
	for {
		size, err := from.tun.Read(buffer)
		if errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil || size < 20 || buffer[0]>>4 != 4 || [3]byte(buffer[16:19]) != network {
			continue // not IPv4 for this network: neighbour discovery, mostly
		}
		to, found := n.nodes.Load(buffer[19])
		if !found {
			continue
		}
		l := n.link(from.last, buffer[19])
		if l.Cut || l.Loss > 0 && r.Float64() < l.Loss {
			continue
		}
		if l.Delay == 0 && l.Jitter == 0 {
			to.(*Node).tun.Write(buffer[:size]) //nolint:errcheck // a packet may be lost
			continue
		}
		packet, delay := append([]byte(nil), buffer[:size]...), l.Delay
		if l.Jitter > 0 {
			delay += time.Duration(r.Int64N(int64(l.Jitter)))
		}
		time.AfterFunc(delay, func() { to.(*Node).tun.Write(packet) }) //nolint:errcheck // likewise
	}
}

// openInterface makes the calling thread's network namespace a node: the
// loopback interface goes up, and one with the address is made, whose packets
// are read from and written to the file.
func openInterface(address [4]byte) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	const name = "zkine0"
	if err := configure(fd, name, address); err != nil {
		unix.Close(fd) // the error is known
		return nil, fmt.Errorf("make the interface %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func configure(tun int, name string, address [4]byte) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(tun, unix.TUNSETIFF, ifr); err != nil {
		return err
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s) // it was only asked
	for _, set := range []struct {
		request uint
		value   [4]byte
	}{
		{unix.SIOCSIFADDR, address},
		{unix.SIOCSIFNETMASK, [4]byte{255, 255, 255, 0}},
	} {
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := ifr.SetInet4Addr(set.value[:]); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(s, set.request, ifr); err != nil {
			return err
		}
	}
	for _, up := range []string{"lo", name} {
		ifr, err := unix.NewIfreq(up)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr); err != nil {
			return err
		}
	}
	return nil
}
