package zklog

import (
	"context"

	"github.com/zkine/zkine/revision"
)

// Join implements backend.Log; see zkmember.
func (l *Log) Join(ctx context.Context, member revision.Member) error {
	return l.member.Join(ctx, member)
}

// Leave implements backend.Log.
func (l *Log) Leave(ctx context.Context) error { return l.member.Leave(ctx) }

// Alive implements backend.Log.
func (l *Log) Alive(ctx context.Context, name string) (bool, error) { return l.member.Alive(ctx, name) }

// Members implements backend.Log.
func (l *Log) Members(ctx context.Context) ([]revision.Member, error) { return l.member.Members(ctx) }
