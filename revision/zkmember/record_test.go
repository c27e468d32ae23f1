package zkmember

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
)

// FuzzMemberRecord reads what another program may have left under members.
func FuzzMemberRecord(f *testing.F) {
	record, err := json.Marshal(memberRecord{Member: revision.Member{Name: "a", ID: 5, ClientURLs: []string{"http://a:2379"}}, Incarnation: incarnation{Host: "a", PID: 5}})
	require.NoError(f, err)
	f.Add(record)
	f.Add(record[:len(record)/2])
	f.Add(append(bytes.Clone(record), record...))
	for i := 0; i < len(record); i += 7 {
		flipped := bytes.Clone(record)
		flipped[i] ^= 0x80
		f.Add(flipped)
	}
	f.Add([]byte(strings.Repeat("[", 20_000)))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		record, err := memberAt("/zkine/members/a", data)
		if err != nil {
			require.True(t, errors.Is(err, revision.ErrForeignRoot), "%v", err)
			require.ErrorContains(t, err, "/zkine/members/a")
			return
		}
		require.NotPanics(t, func() { record.Incarnation.gone() })
	})
}
