package state

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// fileSlot is a slot in a file.
type fileSlot struct {
	Segment, Slot int64
	Nonce         revision.Nonce
	Batch         []byte
}

// logFile, in the environment of this test's binary, makes TestApplyLogFile
// apply the log in a file, and style says how.
const (
	logFile  = "ZKINE_TEST_LOG"
	logStyle = "ZKINE_TEST_STYLE"
)

// TestBuildsAgree runs one log through processes of several builds, each with
// hash seeds of its own, with other numbers of threads, other moments to
// compact physically, and with restarts from checkpoints or none, and compares the digest
// after every slot.
func TestBuildsAgree(t *testing.T) {
	path := writeLog(t)
	own, other := os.Args[0], otherBuild(t)
	want := ""
	for _, run := range []struct {
		binary, style string
		env           []string
	}{
		{own, "plain", []string{"GOMAXPROCS=1"}},
		{own, "eager", []string{"GOMAXPROCS=8", "GOGC=5"}},
		{own, "restarts", nil},
		{other, "plain", []string{"GOMAXPROCS=4"}},
		{other, "restarts", []string{"GOMAXPROCS=1", "GODEBUG=cpu.all=off"}},
	} {
		cmd := exec.Command(run.binary, "-test.run", "^TestApplyLogFile$", "-test.v")
		cmd.Env = append(append(os.Environ(), logFile+"="+path, logStyle+"="+run.style), run.env...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		got := digestLines(out)
		if want == "" {
			want = got
			require.Greater(t, bytes.Count([]byte(want), []byte("\n")), 300)
		}
		require.True(t, want == got, "%v and the first run differ:\n%s", run, firstDifference(want, got))
	}
}

// otherBuild builds this test anew: with the race detector if this one has none,
// or the other way round, and without optimisations.
func otherBuild(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "state.test")
	cmd := exec.Command("go", "test", "-c", "-vet=off", fmt.Sprintf("-race=%v", !raced), "-gcflags=github.com/zkine/...=-N -l", "-o", binary, ".")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// writeLog draws a log and stores it in a file.
func writeLog(t *testing.T) string {
	t.Helper()
	g := &gen{Rand: newRand(t)}
	var w slotWriter
	var slots []fileSlot
	m := New()
	for range 400 {
		v := m.View()
		g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
		if g.oneIn(15) {
			w.rotate()
		}
		var requests []*recordpb.Request
		for range g.IntN(6) {
			requests = append(requests, g.request(), g.own(v))
		}
		slot := w.slot(requests...)
		m.Apply(slot)
		data, err := proto.Marshal(&recordpb.Batch{Requests: requests})
		require.NoError(t, err)
		slots = append(slots, fileSlot{slot.Seq.Segment, slot.Seq.Slot, slot.Nonce, data})
	}
	path := filepath.Join(t.TempDir(), "log")
	var b bytes.Buffer
	require.NoError(t, gob.NewEncoder(&b).Encode(slots))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// TestApplyLogFile is what TestBuildsAgree runs in other processes: it prints the
// digest after each slot of a file.
func TestApplyLogFile(t *testing.T) {
	path, style := os.Getenv(logFile), os.Getenv(logStyle)
	if path == "" {
		t.Skip("TestBuildsAgree runs it, with a log")
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var slots []fileSlot
	require.NoError(t, gob.NewDecoder(bytes.NewReader(data)).Decode(&slots))
	m := New()
	for i, s := range slots {
		if style == "restarts" && i > 0 && s.Segment != slots[i-1].Segment {
			meta, chunks := checkpoint(t, m.View(), small)
			m, err = restore(meta, chunks)
			require.NoError(t, err)
		}
		var batch recordpb.Batch
		require.NoError(t, proto.Unmarshal(s.Batch, &batch))
		applied := m.Apply(revision.Slot{Seq: revision.Seq{Segment: s.Segment, Slot: s.Slot}, Nonce: s.Nonce, Requests: batch.Requests})
		fmt.Printf("digest %v %x %d\n", m.View().Seq(), digestOf(t, m), len(applied.Results))
		if style != "plain" {
			m.CompactPhysically(1 + i%7)
		}
	}
}

func digestLines(out []byte) string {
	var b bytes.Buffer
	for line := range bytes.Lines(out) {
		if bytes.HasPrefix(line, []byte("digest ")) {
			b.Write(line)
		}
	}
	return b.String()
}

func firstDifference(want, got string) string {
	a, b := bytes.Split([]byte(want), []byte("\n")), bytes.Split([]byte(got), []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("%s\n%s", a[i], b[i])
		}
	}
	return fmt.Sprintf("%d and %d slots", len(a), len(b))
}
