package trace

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// some makes a recording of all kinds and options.
func some(seed uint64) *Trace {
	rng := rand.New(rand.NewPCG(seed, 0))
	kinds := []Kind{Range, Stream, Create, Update, Delete, Watch, Cancel, Progress, Grant, Compact, Status, Phase}
	keys := []string{"/registry/pods/a", "/registry/pods/b c", "/registry/\xff\x00\"", "ü"}
	t := &Trace{About: "made up"}
	at := time.Duration(0)
	for i := range 500 {
		at += time.Duration(rng.IntN(1_000_000)) * time.Microsecond
		r := Request{Kind: kinds[rng.IntN(len(kinds))], At: at, Conn: rng.IntN(100), Key: keys[rng.IntN(len(keys))], Since: None, Lease: None}
		r.Size, r.Limit, r.TTL = rng.IntN(2)*rng.IntN(10_000), rng.IntN(2)*500, int64(rng.IntN(2))*3600
		if rng.IntN(2) == 0 {
			r.End = keys[rng.IntN(len(keys))]
		}
		if i > 0 && (rng.IntN(3) == 0 || r.Kind == Compact) {
			r.Since = rng.IntN(i)
		} else if r.Kind == Compact {
			r.Kind = Status
		}
		if i > 0 && rng.IntN(5) == 0 {
			r.Lease = rng.IntN(i)
		}
		if r.Kind == Watch || r.Kind == Cancel || r.Kind == Progress {
			r.Stream, r.Nth = rng.IntN(20), rng.IntN(20)
		}
		for _, f := range flags {
			*f.of(&r) = rng.IntN(2) == 0
		}
		t.Requests = append(t.Requests, r)
	}
	return t
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	want := some(seed)
	var file bytes.Buffer
	require.NoError(t, want.Encode(&file))
	got, err := Decode(&file)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestCountsAreByPhase(t *testing.T) {
	recorded := &Trace{Requests: []Request{
		{Kind: Range, Key: "a"},
		{Kind: Phase, Key: "deploy"}, {Kind: Create, Key: "a"}, {Kind: Create, Key: "b"}, {Kind: Range, Key: "a"},
		{Kind: Phase, Key: "roll"}, {Kind: Update, Key: "a", At: time.Second},
	}}
	phases, counts := recorded.Counts()
	require.Equal(t, []string{"", "deploy", "roll"}, phases)
	require.Equal(t, map[string]map[Kind]int{"": {Range: 1}, "deploy": {Create: 2, Range: 1}, "roll": {Update: 1}}, counts)
	require.Equal(t, time.Second, recorded.Duration())
}

func compressed(text string) []byte {
	var file bytes.Buffer
	w := gzip.NewWriter(&file)
	_, _ = w.Write([]byte(text)) // never fails
	_ = w.Close()
	return file.Bytes()
}

func TestDamagedFilesAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "another format\n\n", format + "\nabout\n", format + "\nabout\nrange 1 0\n", format + "\n\nrange -1 0 k\"a\"\n",
		format + "\n\nrange 1 0 k7\n", format + "\n\nrange 1 0 k\"a\" r1\n", format + "\n\nfly 1 0 k\"a\"\n", format + "\n\nrange 1 0 k\"a\" fq\n",
		format + "\n\nrange 1 0 k\"a\" b999999999\n", format + "\n\ncompact 1 0\n",
	} {
		_, err := Decode(bytes.NewReader(compressed(text)))
		require.ErrorIs(t, err, ErrFormat, "%q", text)
	}
	_, err := Decode(bytes.NewReader([]byte("plain")))
	require.ErrorIs(t, err, ErrFormat)
}

func FuzzDecode(f *testing.F) {
	var file bytes.Buffer
	require.NoError(f, some(1).Encode(&file))
	f.Add(file.Bytes())
	f.Add(compressed(format + "\n\nrange 1 0 k\"a\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		recorded, err := Decode(bytes.NewReader(data))
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		var again bytes.Buffer
		require.NoError(t, recorded.Encode(&again))
		same, err := Decode(&again)
		require.NoError(t, err)
		require.Equal(t, recorded, same)
	})
}
