package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/zktest"
)

// restorable is a ZooKeeper whose data can be put back.
type restorable struct {
	t *testing.T
	*zktest.Server
	args []string
}

func newRestorable(t *testing.T) *restorable {
	server := zktest.Start(t)
	return &restorable{t, server, []string{"--zookeeper=" + server.Addr(), "--zookeeper-session-timeout=2s"}}
}

// backUp copies the data folder of the server, which goes on, and returns what
// puts it back while the server is down for a moment.
func (r *restorable) backUp() (restore func()) {
	r.t.Helper()
	data := filepath.Join(r.DataDir(), "data")
	copied := filepath.Join(r.t.TempDir(), "backup")
	require.NoError(r.t, os.CopyFS(copied, os.DirFS(data)))
	return func() {
		r.t.Helper()
		r.Stop()
		require.NoError(r.t, os.RemoveAll(data))
		require.NoError(r.t, os.CopyFS(data, os.DirFS(copied)))
		r.Restart()
	}
}

func (r *restorable) zkine(name, folder string, more ...string) *process {
	return startZkine(r.t, append(append([]string{"--name=" + name, "--data-dir=" + folder}, r.args...), more...))
}

// log runs zkine log, and returns its exit code and all that it prints.
func (r *restorable) log(command string, more ...string) (code int, out string) {
	var text strings.Builder
	code = execute(append(append([]string{"log", command}, r.args...), more...), nil, &text, &text)
	return code, text.String()
}

func TestALogThatWentBackStaysDownUntilAPersonDecides(t *testing.T) {
	r := newRestorable(t)
	one, two := t.TempDir(), t.TempDir()
	a := r.zkine("a", one)
	cluster := a.await(`made a new cluster under /zkine: serving cluster ([0-9a-f]+)`)
	kv := client(t, a.ready())
	b := r.zkine("b", two)
	onB := client(t, b.ready())
	put(t, kv, "k", "1")
	restore := r.backUp()
	for range 5 {
		put(t, kv, "k", "2")
	}
	expect(t, onB, "k", "2") // b has served all of it, too
	restore()
	for _, p := range []*process{a, b} {
		require.Regexp(t, `the log went back.*"The log went back"`, p.decision())
		// It is told when it is found: what comes last may not come if the end is cut short.
		p.await(`level=error msg="the log cannot be followed any further; this zkine stops serving" error=".*the log went back`)
	}
	for range 2 { // as who supervises it would, for ever
		require.Contains(t, r.zkine("a", one).decision(), "the log went back")
		require.Regexp(t, `a person must decide: [ab] on .*, which had served revision 7, found at .*"The log went back"`,
			r.zkine("c", t.TempDir()).decision(), "one that remembers nothing")
	}

	code, out := r.log("verify")
	require.Zero(t, code, out)
	require.Regexp(t, `halted: at .* by [ab] on .*, which had served revision 7 and seen slot`, out)
	code, out = r.log("accept")
	require.Equal(t, 2, code, out)
	require.Regexp(t, `halted: .*revision 7(.|\n)*holds: about revision [12],(.|\n)*--cluster-id=`+cluster+`\n$`, out)
	code, out = r.log("accept", "--cluster-id=1")
	require.Equal(t, 3, code, out)
	require.Contains(t, out, "holds cluster "+cluster+", and --cluster-id asks for 1")
	require.Contains(t, r.zkine("a", one).decision(), "the log went back", "nothing was decided yet")
	code, out = r.log("accept", "--cluster-id="+cluster)
	require.Zero(t, code, out)
	require.Contains(t, out, "accepted: the revision goes on from 1000000007,", "above the 7 that was served")

	a, b = r.zkine("a", one), r.zkine("b", two)
	a.await(`found a cluster under /zkine: serving cluster ` + cluster + `, revision 1000000007, last written 20`)
	kv = client(t, a.ready())
	expect(t, kv, "k", "1")
	for _, rev := range []int64{2, 8, 1000000006} { // what was lost is no part of this history, nor what would follow
		_, err := kv.Range(t.Context(), &pb.RangeRequest{Key: []byte("k"), Revision: rev})
		require.ErrorContains(t, err, "compacted")
	}
	b.ready()
	// The decision was about that loss, and not about the next one, which takes the raise
	// along.
	put(t, kv, "k", "3")
	a.signal(os.Interrupt)
	b.signal(os.Interrupt)
	require.Zero(t, a.end())
	require.Zero(t, b.end())
	restore()
	require.Contains(t, r.zkine("a", one).decision(), "the log went back", "what it remembers tells, and it halts the others")
	require.Contains(t, r.zkine("c", t.TempDir()).decision(), "a person must decide")
	code, out = r.log("accept", "--cluster-id="+cluster, "--bump-revision=5")
	require.Zero(t, code, out)
	require.Contains(t, out, "the revision goes on from 1000000013,")
	r.zkine("c", t.TempDir()).await(`serving cluster .*, revision 1000000013,`)
}

func TestAZkineThatWasAwayWhileAPersonDecided(t *testing.T) {
	r := newRestorable(t)
	folder := t.TempDir()
	proxy := zktest.NewProxy(t, r.Addr())
	a := startZkine(t, []string{"--name=a", "--data-dir=" + folder, "--zookeeper=" + proxy.Addr(), "--zookeeper-session-timeout=2s"})
	cluster := a.await(`serving cluster ([0-9a-f]+)`)
	kv := client(t, a.ready())
	restore := r.backUp()
	put(t, kv, "k", "1")
	proxy.Refuse()
	proxy.CutAll()
	restore()
	code, out := r.log("accept", "--cluster-id="+cluster, "--bump-revision=0")
	require.Zero(t, code, out)
	require.Contains(t, out, "not halted")
	require.Contains(t, out, "accepted: start the zkines, then restart")
	put(t, client(t, r.zkine("b", t.TempDir()).ready()), "k", "2")
	proxy.Accept()
	require.Regexp(t, `accepted by a person.*the log went back.* — start again to serve it`, a.problem(), "and a supervisor does")
	expect(t, client(t, r.zkine("a", folder).ready()), "k", "2")
}

func TestAnotherClusterIsNotTakenForTheOneServed(t *testing.T) {
	args, root, conn := sharedRoot(t)
	folder := dataDir(t)
	start := func(more ...string) *process {
		return startZkine(t, append(append([]string{folder}, args...), more...))
	}
	p := start()
	first := p.await(`made a new cluster under ` + root + `: serving cluster ([0-9a-f]+)`)
	p.ready()
	require.Contains(t, start("--cluster-id=1", "--name=x").decision(), "holds cluster "+first+", and --cluster-id asks for 1")
	right := start("--cluster-id="+first, "--name=x")
	right.ready()
	right.signal(os.Interrupt)
	require.Zero(t, right.end())
	p.signal(os.Interrupt)
	require.Zero(t, p.end())
	removeTree(t, conn, root)

	require.Regexp(t, `there is no zkine data under `+root+`, but this zkine has served cluster `+first+` there, up to revision 1 at .* — check --zookeeper and --zookeeper-root, or start once with --new-cluster`,
		start().decision())
	require.Regexp(t, `there is no zkine data under `+root+`, and --cluster-id asks for cluster `+first, start("--cluster-id="+first).decision())
	found, _, err := conn.Exists(root)
	require.NoError(t, err)
	require.False(t, found, "something was made")

	p = start("--new-cluster")
	p.await(`--new-cluster is for one start`)
	second := p.await(`made a new cluster under ` + root + `: serving cluster ([0-9a-f]+)`)
	p.ready()
	p.signal(os.Interrupt)
	require.Zero(t, p.end())
	require.NotEqual(t, first, second)
	p = start()
	p.await(`found a cluster under ` + root + `: serving cluster ` + second + `, revision 1`)
	p.ready()
}

func TestAClusterThatTookTheOthersPlace(t *testing.T) {
	args, root, conn := sharedRoot(t)
	folder := dataDir(t)
	p := startZkine(t, append([]string{folder}, args...))
	p.ready()
	p.signal(os.Interrupt)
	require.Zero(t, p.end())
	removeTree(t, conn, root)
	q := startZkine(t, append([]string{"--name=q"}, args...))
	second := q.await(`serving cluster ([0-9a-f]+)`)
	q.ready()
	require.Regexp(t, `holds cluster `+second+`, but this zkine has served cluster .* name what is meant with --cluster-id=`+second+
		`; it is remembered in .*served-.*\.json: zkines of different clusters need a --data-dir each$`,
		startZkine(t, append([]string{folder}, args...)).decision())
	startZkine(t, append([]string{folder, "--cluster-id=" + second}, args...)).ready()
}

// TestALocalZooKeeperWhoseDataWentBack has no ensemble that could tell: the data
// and what is remembered of it lie side by side.
func TestALocalZooKeeperWhoseDataWentBack(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "zkine-data")
	arg := "--data-dir=" + folder
	stop := func(p *process) {
		p.signal(os.Interrupt)
		require.Zero(t, p.end())
	}
	p := startZkine(t, []string{arg})
	cluster := p.await(`serving cluster ([0-9a-f]+)`)
	p.ready()
	stop(p)
	copied := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, os.CopyFS(copied, os.DirFS(filepath.Join(folder, "data"))))
	p = startZkine(t, []string{arg})
	put(t, client(t, p.ready()), "k", "1")
	stop(p)
	require.NoError(t, os.RemoveAll(filepath.Join(folder, "data")))
	require.NoError(t, os.CopyFS(filepath.Join(folder, "data"), os.DirFS(copied)))
	require.Contains(t, startZkine(t, []string{arg}).decision(), "the log went back")

	t.Setenv("ZOOKEEPER_HOME", zooKeeperForTests())
	var out strings.Builder
	require.Zero(t, execute([]string{"log", "accept", arg, "--cluster-id=" + cluster}, nil, &out, &out), out.String())
	p = startZkine(t, []string{arg})
	put(t, client(t, p.ready()), "k", "2")
	stop(p)

	require.NoError(t, os.RemoveAll(filepath.Join(folder, "data")))
	require.Contains(t, startZkine(t, []string{arg}).decision(), "there is no zkine data under /zkine, but this zkine has served cluster "+cluster)
}

func TestADataFolderThatCannotBeWritten(t *testing.T) {
	args, _, _ := sharedRoot(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	p := startZkine(t, append(args, "--data-dir="+filepath.Join(file, "data")))
	put(t, client(t, p.ready()), "k", "1")
	p.await(`what this zkine serves cannot be remembered in --data-dir: .*file.*--cluster-id=[0-9a-f]+`)
	p.signal(os.Interrupt)
	require.Zero(t, p.end())
	require.Equal(t, 1, strings.Count(p.text(), "cannot be remembered"), "said once")
}

func TestAMemoryOfNonsense(t *testing.T) {
	args, root, _ := sharedRoot(t)
	folder := t.TempDir()
	p := startZkine(t, append(args, "--data-dir="+folder))
	p.ready()
	p.signal(os.Interrupt)
	require.Zero(t, p.end())
	path := servedRecordPath(folder, root)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, data := range map[string]string{
		"half":           string(whole[:len(whole)/2]),
		"empty":          "",
		"another root's": strings.Replace(string(whole), root, "/other", 1),
		"no cluster":     `{"root": "` + root + `"}`,
		"huge":           strings.Repeat(" ", maxServedRecord) + string(whole),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
			p := startZkine(t, append(args, "--data-dir="+folder))
			require.Regexp(t, `^zkine: `+path+`: what this zkine has served cannot be read from it: .* — restore the file, or remove it and name the cluster to serve with --cluster-id$`,
				p.decision())
		})
	}
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	startZkine(t, append(args, "--data-dir="+folder)).ready()
}
