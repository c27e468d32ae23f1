package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
)

// zooKeepers is how many servers the ensemble has.
const zooKeepers = 3

// ensemble is several ZooKeepers as an operator runs them: tickTime 2000, initLimit 10, syncLimit 5, and each is
// started again by its supervisor when it has ended.
type ensemble struct{ servers []*embedded.Server }

// startEnsemble returns when all servers serve.
func startEnsemble(ctx context.Context, dir, zooKeeper string, p *ports) (*ensemble, error) {
	found, err := embedded.Find(embedded.FindOptions{Dir: zooKeeper})
	if err != nil {
		return nil, err
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	var peers []embedded.Peer
	for i := range zooKeepers {
		quorum, err := p.next()
		if err != nil {
			return nil, err
		}
		election, err := p.next()
		if err != nil {
			return nil, err
		}
		peers = append(peers, embedded.Peer{ID: i + 1, QuorumPort: quorum, ElectionPort: election})
	}
	e := &ensemble{}
	for i := range zooKeepers {
		client, err := p.next()
		if err != nil {
			return e, err
		}
		s, err := embedded.Start(ctx, embedded.Config{
			Distribution: found, DataDir: filepath.Join(dir, "zk"+strconv.Itoa(i+1)), ClientPort: client,
			Heap: 256 << 20, TickTime: 2 * time.Second,
			// zkine's own default for a single server is shorter than what ZooKeeper's sample has.
			Properties: map[string]string{"initLimit": "10", "syncLimit": "5"},
			Ensemble:   &embedded.Ensemble{ID: i + 1, Peers: peers}, Logger: quiet,
		})
		if err != nil {
			return e, err
		}
		e.servers = append(e.servers, s)
	}
	for _, s := range e.servers {
		if err := s.Ready(ctx); err != nil {
			return e, err
		}
	}
	return e, nil
}

func (e *ensemble) addresses() string {
	var all []string
	for _, s := range e.servers {
		all = append(all, s.Addr())
	}
	return strings.Join(all, ",")
}

// leader asks each server whether it leads; one that is frozen says nothing.
func (e *ensemble) leader() (*embedded.Server, error) {
	for _, s := range e.servers {
		if leads(s.Addr()) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no ZooKeeper leads")
}

func leads(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	if conn.SetDeadline(time.Now().Add(time.Second)) != nil {
		return false
	}
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return false
	}
	text, _ := io.ReadAll(conn) // what came before an error may do
	return strings.Contains(string(text), "Mode: leader")
}

// stop ends all servers, frozen or not.
func (e *ensemble) stop() {
	for _, s := range e.servers {
		s.Signal(syscall.SIGCONT)
		s.Kill()
	}
}
