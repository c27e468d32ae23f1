package observe

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/observepb"
	"github.com/zkine/zkine/server/usage"
)

// fill gives each field of a struct another value, so that one that is left out, or put
// into another one's place, is seen.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString(string(rune('A' + *n)))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	default:
		panic(v.Kind())
	}
}

// sent is a message as it comes out on the other side.
func sent[M proto.Message](t *testing.T, m M, empty M) M {
	t.Helper()
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, proto.Unmarshal(raw, empty))
	return empty
}

func TestMessagesLoseNothing(t *testing.T) {
	n := 0
	var report usage.Report
	fill(reflect.ValueOf(&report).Elem(), &n)
	require.Equal(t, report, ToReport(sent(t, FromReport(report), &observepb.UsageResponse{})))
	var member Member
	fill(reflect.ValueOf(&member).Elem(), &n)
	require.Equal(t, member, ToMember(sent(t, fromMember(member), &observepb.MemberResponse{})))
	var server Server
	fill(reflect.ValueOf(&server).Elem(), &n)
	require.Equal(t, []Server{server}, ToServers(&observepb.EnsembleResponse{Servers: []*observepb.Server{fromServer(server)}}))
}

func TestProcessIsMeasured(t *testing.T) {
	var m Member
	NewProcess().Fill(&m)
	require.Positive(t, m.ResidentBytes)
	require.Positive(t, m.UptimeSeconds)
}
