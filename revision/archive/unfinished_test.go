package archive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/archive"
)

// pausing calls meet before it stores an object whose name ends so.
type pausing struct {
	archive.Store
	at   string
	meet func()
}

func (s *pausing) Put(ctx context.Context, name string, data []byte) error {
	if strings.HasSuffix(name, s.at) && s.meet != nil {
		meet := s.meet
		s.meet = nil
		meet()
	}
	return s.Store.Put(ctx, name, data)
}

// TestACheckpointThatIsBeingWritten stays whole while another archiver, as that of the
// next keeper, archives newer ones and tidies up; or the one that writes it finds out.
func TestACheckpointThatIsBeingWritten(t *testing.T) {
	for _, at := range []string{"/000000", "/000002", "/manifest"} {
		for newer := range 3 {
			t.Run(fmt.Sprint(at[1:], " ", newer), func(t *testing.T) {
				r := newRoot(t)
				r.append(5)
				s, _ := folder(t)
				_, err := r.archiver(s).Round(t.Context())
				require.NoError(t, err)
				r.append(3)
				segment := r.checkpoint()
				other := r.archiver(s)
				moreCheckpoints := func(n int) {
					for range n {
						r.append(3)
						r.checkpoint()
						r.append(3)
					}
					_, err := other.Round(t.Context())
					require.NoError(t, err)
					r.trim()
				}
				slow := &pausing{Store: s, at: at, meet: func() { moreCheckpoints(newer) }}
				_, err = r.archiver(slow).Round(t.Context())
				require.NoError(t, err)
				require.Nil(t, slow.meet)
				moreCheckpoints(2)
				require.Empty(t, verify(t, s).Findings)
				if newer < 2 { // the root did not drop it in the meantime
					require.Equal(t, segment, place(t, s).Checkpoints()[0].Segment)
				}
			})
		}
	}
}

// TestOneThatBeginsBesideAnother finds no archive, and then what the other has begun.
func TestOneThatBeginsBesideAnother(t *testing.T) {
	r := newRoot(t)
	r.append(3)
	s, _ := folder(t)
	late := &overtaken{Store: s, by: func() {
		_, err := r.archiver(s).Round(t.Context())
		require.NoError(t, err)
	}}
	_, err := r.archiver(late).Round(t.Context())
	require.NoError(t, err)
	require.Nil(t, late.by, "it was overtaken")
	require.Empty(t, verify(t, s).Findings)
}

// overtaken has something happen once it has said that there is no such object.
type overtaken struct {
	archive.Store
	by func()
}

func (o *overtaken) Get(ctx context.Context, name string, most int64) ([]byte, error) {
	data, err := o.Store.Get(ctx, name, most)
	if by := o.by; errors.Is(err, archive.ErrNotFound) && by != nil {
		o.by = nil
		by()
	}
	return data, err
}
