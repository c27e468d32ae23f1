package main

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/archive/objectstore"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zktest"
)

// archiver archives a root of the shared server to a folder.
func archiver(t *testing.T, root, folder string) *archive.Archiver {
	t.Helper()
	store, err := objectstore.Open(folder, true)
	require.NoError(t, err)
	log := newLogger(os.Stderr, "error", "text")
	a := archive.New(archive.Config{Dialer: &zkclient.Ensemble{Servers: []string{zktest.Shared(t).Addr()}, Timeout: 2 * time.Second, Log: log}, Root: root, Store: store, Log: log})
	t.Cleanup(a.Close)
	return a
}

// past is a cluster with a story, in an archive.
type past struct {
	args     []string // of commands on the root
	archive  string
	at       time.Time // when all was well
	revision int64     // then
	newest   int64
	lease    clientv3.LeaseID
}

func makePast(t *testing.T) *past {
	args, root, _ := sharedRoot(t)
	folder := filepath.Join(t.TempDir(), "archive")
	p := &past{args: args, archive: "--archive=file://" + folder}
	endpoint := startZkine(t, append([]string{"--name=first", "--bcrypt-cost=4", "--log-segment-slots=16", "--checkpoint-log-bytes=1000"}, args...)).ready()
	a := archiver(t, root, folder)
	ctx := within(t)
	c := anonymous(t, endpoint)
	lease, err := c.Grant(ctx, 1000)
	require.NoError(t, err)
	p.lease = lease.ID
	_, err = c.UserAdd(ctx, "ann", "secret")
	require.NoError(t, err)
	_, err = c.RoleAdd(ctx, "reader")
	require.NoError(t, err)
	_, err = c.UserGrantRole(ctx, "ann", "reader")
	require.NoError(t, err)
	for i := range 60 {
		_, err := c.Put(ctx, fmt.Sprint("/ns/", i%10), fmt.Sprintf("\x00%d\xff", i))
		require.NoError(t, err)
		if i%20 == 0 {
			_, err := a.Round(ctx)
			require.NoError(t, err)
		}
	}
	resp, err := c.Put(ctx, "/ns/leased", "l", clientv3.WithLease(lease.ID))
	require.NoError(t, err)
	p.revision = resp.Header.Revision
	p.at = time.Now().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
	time.Sleep(time.Until(p.at.Add(2 * time.Millisecond))) // the times in the log are milliseconds
	_, err = c.Delete(ctx, "/ns/", clientv3.WithPrefix())
	require.NoError(t, err)
	for i := range 40 {
		_, err := c.Put(ctx, "/other", fmt.Sprint(i))
		require.NoError(t, err)
	}
	resp, err = c.Put(ctx, "/ns/0", "new")
	require.NoError(t, err)
	p.newest = resp.Header.Revision
	_, err = a.Round(ctx)
	require.NoError(t, err)
	return p
}

func (p *past) time() string { return p.at.Format(time.RFC3339Nano) }

func TestRestore(t *testing.T) {
	p := makePast(t)
	for name, c := range map[string]struct {
		flags  []string
		then   bool
		raised bool
	}{
		"time":     {[]string{"--to-time=" + p.time()}, true, true},
		"revision": {[]string{"--to-revision=" + fmt.Sprint(p.revision), "--bump-revision=0"}, true, false},
		"end":      {[]string{"--bump-revision=1000"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			args, root, _ := sharedRoot(t)
			restore := append([]string{"restore", p.archive}, append(args, c.flags...)...)
			out, err := zkine(append(restore, "--dry-run")...)
			require.NoError(t, err, out)
			require.Contains(t, out, "nothing was written")
			out, err = zkine(restore...)
			require.NoError(t, err, out)
			require.Contains(t, out, "read back and compared")
			id := regexp.MustCompile(`root ` + root + ` is made: cluster ([0-9a-f]+)`).FindStringSubmatch(out)[1]
			_, err = zkine(restore...)
			require.ErrorContains(t, err, "the root is not empty: "+root+" holds cluster "+id)

			c2 := anonymous(t, startZkine(t, append(args, "--cluster-id="+id)).ready())
			ctx := within(t)
			resp, err := c2.Get(ctx, "/ns/", clientv3.WithPrefix())
			require.NoError(t, err)
			if !c.then {
				require.Len(t, resp.Kvs, 1)
				require.Equal(t, "new", string(resp.Kvs[0].Value))
				return
			}
			require.Len(t, resp.Kvs, 11)
			require.Equal(t, "\x0050\xff", string(resp.Kvs[0].Value))
			require.EqualValues(t, p.lease, resp.Kvs[10].Lease)
			left, err := c2.TimeToLive(ctx, p.lease)
			require.NoError(t, err)
			require.InDelta(t, 1000, left.TTL, 60)
			user, err := c2.UserGet(ctx, "ann")
			require.NoError(t, err)
			require.Equal(t, []string{"reader"}, user.Roles)
			if !c.raised {
				require.Equal(t, p.revision, resp.Header.Revision)
				require.Contains(t, out, "restart every API server")
				return
			}
			require.Greater(t, resp.Header.Revision, p.newest+1_000_000_000-1)
			require.Contains(t, out, fmt.Sprintf("raised to %d,", resp.Header.Revision))
			require.Contains(t, out, "need no restart")
			_, err = c2.Get(ctx, "/ns/", clientv3.WithPrefix(), clientv3.WithRev(p.revision))
			require.ErrorIs(t, err, rpctypes.ErrCompacted)
			watch := <-c2.Watch(ctx, "/ns/", clientv3.WithPrefix(), clientv3.WithRev(p.newest))
			require.Equal(t, resp.Header.Revision, watch.CompactRevision)
		})
	}
}

func TestRestoreToASnapshot(t *testing.T) {
	p := makePast(t)
	file := filepath.Join(t.TempDir(), "past.db")
	out, err := zkine("restore", p.archive, "--to-time="+p.time(), "--to-snapshot="+file)
	require.NoError(t, err, out)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Contains(t, out, "wrote "+file+": "+strconv.FormatInt(info.Size(), 10)+" bytes")
	_, err = zkine("restore", p.archive, "--to-snapshot="+file)
	require.ErrorContains(t, err, "there is a file")
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside it")
}

// TestBackup has one file that is restored, told of, and checked, and that is refused if
// a bit of it is wrong, or a part is missing.
func TestBackup(t *testing.T) {
	p := makePast(t)
	endpoint := startZkine(t, append([]string{"--name=second"}, p.args...)).ready()
	put(t, client(t, endpoint), "/last", "acknowledged")
	folder := t.TempDir()
	file := filepath.Join(folder, "prod.zkine")
	out, err := zkine(append([]string{"backup", file}, p.args...)...)
	require.NoError(t, err, out)
	require.Contains(t, out, "read back and right\n")
	require.Contains(t, out, "zkine restore --archive="+file+"\n")
	_, err = zkine(append([]string{"backup", file}, p.args...)...)
	require.ErrorContains(t, err, "there is such a file")
	out, err = zkine("archive", "verify", "--archive="+file)
	require.NoError(t, err, out)
	require.NotEmpty(t, changes(t, "--archive="+file, "/last"))

	args, _, _ := sharedRoot(t)
	out, err = zkine(append([]string{"restore", "--archive=" + file}, args...)...)
	require.NoError(t, err, out)
	restored := client(t, startZkine(t, args).ready())
	expect(t, restored, "/last", "acknowledged")
	expect(t, restored, "/ns/0", "new")

	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	for name, harmed := range map[string][]byte{"cut": whole[:len(whole)-100], "bit": slices.Clone(whole), "other": []byte("no archive")} {
		if name == "bit" {
			harmed[newestSlots(t, file)] ^= 4
		}
		bad := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(bad, harmed, 0o600))
		args, root, conn := sharedRoot(t)
		_, err := zkine(append([]string{"restore", "--archive=" + bad}, args...)...)
		require.Error(t, err, name)
		require.Contains(t, explain(err).Error(), bad)
		exists, _, err := conn.Exists(root)
		require.NoError(t, err)
		require.False(t, exists, "nothing is left")
	}
	args, root, _ := sharedRoot(t)
	none := filepath.Join(folder, "none")
	_, err = zkine(append([]string{"backup", none}, args...)...)
	require.ErrorContains(t, err, "no zkine data under "+root)
	_, err = zkine(append([]string{"backup"}, args...)...)
	require.ErrorContains(t, err, "FILE: one is needed")
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 4, "nothing is left")
}

// newestSlots is where the newest slots lie in a file of zkine backup: in the middle of them.
func newestSlots(t *testing.T, file string) int64 {
	r, err := zip.OpenReader(file)
	require.NoError(t, err)
	defer r.Close()
	var newest *zip.File
	for _, f := range r.File {
		if strings.Contains(f.Name, "/slots/") && (newest == nil || newest.Name < f.Name) {
			newest = f
		}
	}
	at, err := newest.DataOffset()
	require.NoError(t, err)
	return at + int64(newest.UncompressedSize64)/2
}

func TestRestoreRefusesByName(t *testing.T) {
	p := makePast(t)
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `^--archive: is needed — `},
		{[]string{"--archive=x"}, `^--archive: it is no URL, and no file here — write file:///folder or s3:`},
		{[]string{"--archive=file:///nowhere"}, `the archive: .*/nowhere: no such file or directory — check --archive$`},
		{[]string{"--archive=file://" + empty}, `the archive: .*` + empty + ` holds nothing`},
		{[]string{p.archive, "--to-time=yesterday"}, `^--to-time: "yesterday" is not a time — `},
		{[]string{p.archive, "--to-time=2099-01-01T00:00:00Z"}, `is yet to come — `},
		{[]string{p.archive, "--to-time=2001-01-01T00:00:00Z"}, `^folder [^ ]+: it begins later: .* — choose a later time or revision$`},
		{[]string{p.archive, "--to-revision=100000"}, `^folder [^ ]+: it ends before that: it ends with revision \d+ — choose an earlier one`},
		{[]string{p.archive, "--to-revision=-1"}, `^--to-revision: -1 is out of bounds`},
		{[]string{p.archive, "--to-revision=2", "--to-time=2001-01-01T00:00:00Z"}, `^--to-revision: it contradicts --to-time`},
		{[]string{p.archive, "--mark-compacted=false"}, `^--mark-compacted: a raised revision has to be`},
		{[]string{p.archive, "--mark-compacted", "--bump-revision=0"}, `^--mark-compacted: it needs a raised revision`},
		{[]string{p.archive, "--archive-cluster=abc"}, `has nothing of cluster abc, .* — check --archive, and --archive-cluster$`},
	} {
		_, err := zkine(append(append([]string{"restore"}, strings.Fields(strings.Join(c.args, " "))...), "--to-snapshot="+filepath.Join(empty, "no.db"))...)
		require.Error(t, err, c.args)
		require.Regexp(t, c.want, explain(err).Error())
	}
	_, err := zkine("restore", p.archive, "--to-snapshot=/nowhere/no.db")
	require.EqualError(t, explain(err), "/nowhere/no.db: it cannot be written: no such file or directory — name a file in a folder that is there and can be written to")
	_, err = zkine(append([]string{"restore", p.archive}, p.args...)...)
	require.ErrorContains(t, err, "the root is not empty")
	_, err = zkine(append([]string{"restore", p.archive, "--to-snapshot=x"}, p.args...)...)
	require.ErrorContains(t, err, "a root is named, too")
	require.NoFileExists(t, filepath.Join(empty, "no.db"))
}

// TestRestoreNamesWhatIsWrongWithAnArchive harms an object, and takes one away: what needs
// it is refused by its name, and what does not is restored.
func TestRestoreNamesWhatIsWrongWithAnArchive(t *testing.T) {
	p := makePast(t)
	folder := strings.TrimPrefix(p.archive, "--archive=file://")
	objects, err := filepath.Glob(filepath.Join(folder, "*", "slots", "*"))
	require.NoError(t, err)
	require.Greater(t, len(objects), 3)
	newest := objects[len(objects)-1]
	whole, err := os.ReadFile(newest)
	require.NoError(t, err)
	restore := func(flags ...string) error {
		_, err := zkine(append([]string{"restore", p.archive, "--to-snapshot=" + filepath.Join(t.TempDir(), "out.db")}, flags...)...)
		return err
	}
	require.NoError(t, restore())

	harmed := slices.Clone(whole)
	harmed[len(harmed)-1] ^= 1
	require.NoError(t, os.WriteFile(newest, harmed, 0o600))
	err = restore()
	require.Error(t, err)
	require.Contains(t, explain(err).Error(), filepath.Base(newest))
	require.NoError(t, os.WriteFile(newest, whole, 0o600))

	require.NoError(t, os.Remove(objects[len(objects)-2]))
	err = restore()
	require.Error(t, err)
	require.Contains(t, explain(err).Error(), "a part of the log is missing")
	require.NoError(t, restore("--to-revision=5"), "that part is not needed")
	out, err := zkine("restore", p.archive, "--to-revision=5", "--dry-run", "--to-snapshot=none.db")
	require.NoError(t, err)
	require.Contains(t, out, "cannot be read to its end, so that it is not known which revision was the newest: ")
}
