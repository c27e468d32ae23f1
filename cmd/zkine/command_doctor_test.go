package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/cmd/zkine/doctor"
	"github.com/zkine/zkine/cmd/zkine/inspect"
)

// looks runs zkine doctor with JSON, and returns the exit code.
func looks(t *testing.T, args ...string) (int, *doctor.Report) {
	t.Helper()
	var out, errs strings.Builder
	code := execute(append([]string{"doctor", "-o", "json"}, args...), nil, &out, &errs)
	var r doctor.Report
	require.NoError(t, json.Unmarshal([]byte(out.String()), &r), "%s\n%s", out.String(), errs.String())
	t.Logf("exit code %d: %s%s", code, errs.String(), out.String())
	return code, &r
}

// finding is the first of a check that holds a text.
func finding(r *doctor.Report, check, text string) *doctor.Finding {
	for i, f := range r.Findings {
		if f.Check == check && strings.Contains(f.Thing+": "+f.What, text) {
			return &r.Findings[i]
		}
	}
	return nil
}

// serving are the checks of zkines that serve: the shared ZooKeeper has its own faults.
const serving = "--ignore=versions,servers,words,ensemble,quorum,fsync,request,session,local-sessions,tls,acl,znode-quota,heap,disk,connections,settings"

// TestDoctorWhileServing has one zkine that serves, one that can only be reached on its own
// machine, and one that is not reached.
func TestDoctorWhileServing(t *testing.T) {
	args, root, _ := sharedRoot(t)
	one := startZkine(t, append(args, "--name=one"))
	endpoint := one.ready()
	kv := client(t, endpoint)
	put(t, kv, "/registry/pods/shop/web", "v")
	code, r := looks(t, append(args, serving)...)
	require.Zero(t, code)
	require.Equal(t, root, r.Root)
	require.Equal(t, doctor.OK, finding(r, "members", "member one: it serves etcd").Level)
	require.Contains(t, finding(r, "members", "member one").What, "revision 2, the keeper")
	require.Equal(t, doctor.OK, finding(r, "ready", "member one: it is ready").Level)
	require.Equal(t, doctor.OK, finding(r, "lag", "it has applied the log to its end").Level)
	require.Equal(t, doctor.OK, finding(r, "alarms", "none is raised").Level)
	require.Equal(t, doctor.OK, finding(r, "quota", "of its quota of 2.0 GiB are used").Level)
	require.Equal(t, doctor.OK, finding(r, "housekeeping", "there is no checkpoint yet").Level)
	require.Equal(t, doctor.OK, finding(r, "clock", "member one: its clock agrees").Level)

	// Only the zkine is asked.
	code, r = looks(t, "--endpoints=http://"+endpoint)
	require.Zero(t, code)
	require.Equal(t, doctor.OK, finding(r, "members", "it serves etcd").Level)
	require.Equal(t, doctor.Unknown, finding(r, "quorum", "no ZooKeeper is named").Level)

	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	_, err = pb.NewMaintenanceClient(conn).Alarm(within(t), &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE})
	require.NoError(t, err)
	// What one tells that serves on the loopback interface leads to another one here.
	two := startZkine(t, append(args, "--name=two", "--advertise-client-urls=http://"+endpoint))
	two.ready()
	away := startZkine(t, append(args, "--name=away", "--advertise-client-urls=http://0.0.0.0:1"))
	away.ready()
	code, r = looks(t, append(args, serving)...)
	require.Equal(t, 1, code)
	require.Equal(t, doctor.Problem, finding(r, "alarms", "NOSPACE: this alarm is raised").Level)
	require.Nil(t, finding(r, "alarms", "member one"), "it is told once")
	require.Equal(t, doctor.Problem, finding(r, "members", "member away: it does not answer at http://0.0.0.0:1: dial tcp 127.0.0.1:1: connect: connection refused").Level)
	elsewhere := finding(r, "members", "member two: it could not be looked at")
	require.Equal(t, doctor.Unknown, elsewhere.Level)
	require.Contains(t, elsewhere.What, "another zkine answers there")

	var out strings.Builder
	require.Equal(t, 1, execute(append([]string{"doctor", serving}, args...), nil, &out, &out))
	require.Regexp(t, `(?m)^PROBLEM  alarms         NOSPACE: this alarm is raised\n +why: .*\n +do:  `, out.String())
	require.Regexp(t, `zkine: doctor: \d+ of \d+ findings matter — see above`, out.String())
}

// TestPrintable keeps what others choose, such as a member's name, from being more than
// a text in one line.
func TestPrintable(t *testing.T) {
	var out strings.Builder
	odd := "eve\n\x1b[2J ü"
	require.NoError(t, printLook(&out, &doctor.Report{Findings: []doctor.Finding{{Check: "members", Level: doctor.OK, Thing: odd, What: odd, Why: odd, Remedy: odd}}}, "text"))
	require.NoError(t, printInspected(&out, &inspect.Report{Halted: odd, Members: []inspect.Member{{Name: odd, URLs: []string{odd}, Unknown: odd}}}))
	require.NotContains(t, out.String(), "\x1b")
	require.NotContains(t, out.String(), "eve\n")
	require.Equal(t, 8, strings.Count(out.String(), "eve??[2J ü"))
}

// TestDoctorIsBlind where there is nothing, and says what is missing.
func TestDoctorIsBlind(t *testing.T) {
	code, r := looks(t, "--zookeeper=127.0.0.1:1", "--timeout=300ms")
	require.Equal(t, 4, code)
	require.True(t, r.Blind)
	for want, args := range map[string][]string{
		"--zookeeper: is needed — name the ensemble's servers, host:port,..., or zkines with --endpoints": {},
		`--ignore: "nothing" is not known`:  {"--zookeeper=a:1", "--ignore=nothing"},
		`--output: "yaml" is not known`:     {"--zookeeper=a:1", "-o", "yaml"},
		"--zoo-cfg: open /no/such/zoo.cfg:": {"--zookeeper=a:1", "--zoo-cfg=/no/such/zoo.cfg"},
	} {
		var out strings.Builder
		require.Equal(t, 2, execute(append([]string{"doctor"}, args...), nil, &out, &out))
		require.Contains(t, out.String(), want)
	}
}

// TestInspect looks at a root with a busy log, from outside.
func TestInspect(t *testing.T) {
	args, root, _ := sharedRoot(t)
	one := startZkine(t, append(args, "--name=one", "--log-segment-slots=20", "--checkpoint-log-bytes=1000"))
	endpoint := one.ready()
	kv := client(t, endpoint)
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	_, err = pb.NewLeaseClient(conn).LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: 77, TTL: 600})
	require.NoError(t, err)
	for range 30 {
		for _, key := range []string{"/registry/pods/shop/web", "/registry/secrets/shop/db"} {
			_, err := kv.Put(within(t), &pb.PutRequest{Key: []byte(key), Value: make([]byte, 300), Lease: 77})
			require.NoError(t, err)
		}
	}
	look := func(more ...string) *inspect.Report {
		out, err := zkine(append(append([]string{"inspect", "-o", "json"}, args...), more...)...)
		require.NoError(t, err, out)
		var r inspect.Report
		require.NoError(t, json.Unmarshal([]byte(out), &r), out)
		return &r
	}
	r := look()
	require.Equal(t, root, r.Root)
	require.Len(t, r.Members, 1)
	require.True(t, r.Members[0].Keeper)
	require.Empty(t, r.Members[0].Unknown)
	require.NotNil(t, r.Members[0].Watchers)
	require.True(t, r.Keys.Newest)
	require.EqualValues(t, 61, r.Keys.Revision)
	require.EqualValues(t, 2, r.Keys.Live)
	require.EqualValues(t, 58, r.Keys.Versions)
	require.Len(t, r.Keys.Prefixes, 2)
	require.Equal(t, "/registry/secrets/", r.Keys.Prefixes[0].Prefix)
	require.EqualValues(t, 300, r.Keys.Largest[0].Bytes)
	require.Equal(t, 1, r.Leases.Count)
	require.Equal(t, "4d", r.Leases.Largest[0].ID)
	require.EqualValues(t, 2, r.Leases.Largest[0].Keys)
	require.True(t, r.Segments[len(r.Segments)-1].Open)
	require.Positive(t, r.Sizes.Log)
	require.Eventually(t, func() bool { return look().Checkpoint != nil }, limit, limit/600)
	stored := look("--replay-bytes=0")
	require.False(t, stored.Keys.Newest)
	require.Equal(t, stored.Checkpoint.Revision, stored.Keys.Revision)
	require.EqualValues(t, 2, stored.Keys.Live)
	require.NotEmpty(t, stored.Segments)

	out, err := zkine(append([]string{"inspect"}, args...)...)
	require.NoError(t, err)
	for _, part := range []string{"root " + root, "\nMEMBERS  1\n", "\nCHECKPOINT  up to segment ", "\nLOG  ", "\nKEYS  2 with ", "/registry/pods/", "\nLEASES  1 with 2 keys"} {
		require.Contains(t, out, part)
	}
	_, err = zkine("inspect", "--zookeeper-root="+root+"x", args[0])
	require.ErrorContains(t, err, "no zkine data under "+root+"x")
}

// TestLooksAtARunningLocalZooKeeper has the commands that only look go past its closed
// door while a zkine serves from it, with the secret in its folder.
func TestLooksAtARunningLocalZooKeeper(t *testing.T) {
	t.Setenv("ZOOKEEPER_HOME", zooKeeperForTests())
	dir := t.TempDir()
	put(t, client(t, startZkine(t, []string{"--data-dir=" + dir}).ready()), "/registry/pods/shop/web", "v")
	code, r := looks(t, "--data-dir="+dir, "--quota-backend-bytes=1000000", "--ignore=quorum,fsync,heap")
	require.Zero(t, code)
	require.Equal(t, doctor.OK, finding(r, "acl", "the znodes that were looked at have it").Level)
	require.Equal(t, doctor.OK, finding(r, "members", "it serves etcd").Level)
	// What its zoo.cfg says is looked at there, and nobody is asked to change it: zkine writes it.
	require.Equal(t, doctor.OK, finding(r, "disk", "it removes old snapshots and log files every 1 h, by zoo.cfg").Level)
	require.Equal(t, doctor.OK, finding(r, "settings", "it has the settings that suit zkines").Level)
	require.Equal(t, doctor.OK, finding(r, "words", "but conf, envi, which zkine keeps closed").Level)
	for _, f := range r.Findings {
		require.NotContains(t, f.Remedy, "zoo.cfg", f.What)
		require.NotContains(t, f.Remedy, "if others may know", f.What)
	}
	out, err := zkine("inspect", "--data-dir="+dir)
	require.NoError(t, err, out)
	require.Contains(t, out, "KEYS  1 with ")
	out, err = zkine("log", "print", "--data-dir="+dir)
	require.NoError(t, err, out)
	require.Contains(t, out, "put /registry/pods/shop/web (1 bytes) -> created")
	out, err = zkine("log", "verify", "--data-dir="+dir)
	require.ErrorContains(t, err, "stop that process", out)
}
