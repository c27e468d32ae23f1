package contender

import (
	"context"
	"fmt"
)

// startSeveral starts as many zkines on one ensemble, one beside each of several API servers.
func startSeveral(zkines, zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		e, err := s.zooKeepers(ctx, zooKeepers)
		if err != nil {
			return err
		}
		first := c.Name
		for i := range zkines {
			member := &Contender{Name: fmt.Sprint(first, "-", i)}
			if err := s.zkineOn(ctx, member, s.Programs.Zkine, e, []string{"--zookeeper-root=/" + first}); err != nil {
				return err
			}
			c.servers = append(c.servers, member.zkine)
			c.endpoints = append(c.endpoints, member.zkine.Endpoint)
		}
		c.locate = at(c.endpoints[0])
		c.add(e)
		return nil
	}
}

// Endpoints are all members' places, where there are several; of one it is that.
func (c *Contender) Endpoints(ctx context.Context) ([]string, error) {
	if len(c.endpoints) > 0 {
		return c.endpoints, nil
	}
	one, err := c.locate(ctx)
	return []string{one}, err
}
