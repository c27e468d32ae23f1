package zklog

import (
	"context"

	"github.com/zkine/zkine/revision/zkroot"
)

// Verify reads everything under cfg.Root on a session of its own, and judges it;
// see Reader.Verify.
func Verify(ctx context.Context, cfg Config) (*zkroot.Verified, error) {
	return inspect(ctx, cfg, func(r zkroot.Reader, w zkroot.Wanted) (*zkroot.Verified, error) { return r.Verify(ctx, w) })
}

// Look reads what cfg.Root holds on a session of its own; see Reader.Look.
func Look(ctx context.Context, cfg Config) (*zkroot.Holding, error) {
	return inspect(ctx, cfg, func(r zkroot.Reader, w zkroot.Wanted) (*zkroot.Holding, error) { return r.Look(ctx, w) })
}

// Accept records by's decision to serve what cfg.Root holds on a session of its
// own; see Reader.Accept.
func Accept(ctx context.Context, cfg Config, by string) (*zkroot.Holding, error) {
	return inspect(ctx, cfg, func(r zkroot.Reader, w zkroot.Wanted) (*zkroot.Holding, error) { return r.Accept(ctx, w, by) })
}

func inspect[T any](ctx context.Context, cfg Config, f func(zkroot.Reader, zkroot.Wanted) (T, error)) (out T, err error) {
	if err := zkroot.CheckRoot(cfg.Root); err != nil {
		return out, err
	}
	conn, err := cfg.Dialer.Dial(ctx)
	if err != nil {
		return out, err
	}
	defer conn.Close()
	// What is remembered of an earlier run says nothing about what is there.
	return f(zkroot.NewReader(conn, zkroot.Layout{Root: cfg.Root}), zkroot.Wanted{Root: cfg.Root, ClusterID: cfg.ClusterID})
}
