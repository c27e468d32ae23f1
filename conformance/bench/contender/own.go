package contender

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
)

// startOwn starts a zkine with the ZooKeeper that it embeds, as "make run" does.
func startOwn(ctx context.Context, s *Stage, c *Contender) error {
	return s.own(ctx, c, s.Programs.Zkine)
}

// startOwnBefore starts another zkine like that, for what a change is worth.
func startOwnBefore(ctx context.Context, s *Stage, c *Contender) error {
	if s.Programs.Before == "" {
		return errNoBefore
	}
	return s.own(ctx, c, s.Programs.Before)
}

func (s *Stage) own(ctx context.Context, c *Contender, program string) error {
	dir, err := s.folder(c.Name)
	if err != nil {
		return err
	}
	l, err := s.Programs.LoneZkine(program, dir, "")
	if err != nil {
		return err
	}
	s.stopLater(l.Process)
	c.locate, c.servers = at(l.Endpoint), []server{l.Process}
	if err := l.up(ctx); err != nil {
		return err
	}
	children, err := childrenOf(l.Pid())
	for _, child := range children {
		c.servers = append(c.servers, child)
	}
	return err
}

// child is a process that a server has started.
type child int

func (c child) Pid() int { return int(c) }

// childrenOf finds the processes that one has started.
func childrenOf(pid int) (children []child, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // the process has ended
		}
		// The second field is a name in parentheses, which may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if parent, err := strconv.Atoi(string(fields[1])); err != nil || parent != pid {
			continue
		}
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		children = append(children, child(n))
	}
	return children, nil
}
