package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/go-zookeeper/zk"
)

// census is what a tree of znodes holds.
type census struct {
	znodes int
	bytes  int64 // of data
	parts  map[string]int64
}

// connectZooKeeper opens a session for reading or loading a tree.
func connectZooKeeper(ctx context.Context, address string) (*zk.Conn, error) {
	conn, events, err := zk.Connect([]string{address}, 20*time.Second, zk.WithLogInfo(false))
	if err != nil {
		return nil, err
	}
	for {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				return conn, nil
			}
		case <-ctx.Done():
			conn.Close()
			return nil, context.Cause(ctx)
		}
	}
}

// take counts a znode and all below it. Znodes that go away before they are read are left out.
func takeCensus(ctx context.Context, address string) (census, error) {
	conn, err := connectZooKeeper(ctx, address)
	if err != nil {
		return census{}, err
	}
	defer conn.Close()
	c := census{parts: map[string]int64{}}
	err = c.walk(conn, root, "")
	return c, err
}

func (c *census) walk(conn *zk.Conn, at, part string) error {
	names, stat, err := conn.Children(at)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	c.znodes++
	c.bytes += int64(stat.DataLength)
	c.parts[part] += int64(stat.DataLength)
	for _, name := range names {
		below := part
		if part == "" {
			below = name
		}
		if err := c.walk(conn, path.Join(at, name), below); err != nil {
			return err
		}
	}
	return nil
}

func (c census) String() string {
	return fmt.Sprintf("%s in %d znodes (checkpoint %s, log %s, packed %s, staged %s)", mib(c.bytes), c.znodes,
		mib(c.parts["checkpoint"]), mib(c.parts["log"]), mib(c.parts["pack"]), mib(c.parts["stage"]))
}
