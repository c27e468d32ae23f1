package rig_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// shell is a process that a script of the shell plays.
func shell(t *testing.T, script, log string) *rig.Process {
	p := rig.New(rig.Program{Path: "sh", Args: []string{"-c", script}, Env: []string{"SAYS=hello"}, Log: log})
	t.Cleanup(p.Kill)
	return p
}

func TestProcess(t *testing.T) {
	p := shell(t, `echo "$SAYS" world; exec sleep 60`, "")
	require.NoError(t, p.Ended(), "it was never started")
	p.Kill()
	for range 2 { // lives
		require.NoError(t, p.Start())
		match, err := p.Await(within(t), `hello (\w+)`)
		require.NoError(t, err)
		require.Equal(t, "world", match[1])
		require.Equal(t, "hello world\n", p.Output(), "the output is that of the last life")
		require.NoError(t, p.Ended())
		p.Freeze()
		p.Thaw()
		code, err := p.Stop(within(t))
		require.NoError(t, err)
		require.Equal(t, -1, code, "sleep dies of SIGTERM")
		require.NoError(t, p.Ended(), "it was ended on purpose")
	}
}

func TestProcessThatEndsByItself(t *testing.T) {
	p := shell(t, "echo panic: why; exit 3", "")
	require.NoError(t, p.Start())
	code, err := p.Wait(within(t))
	require.NoError(t, err)
	require.Equal(t, 3, code)
	require.ErrorContains(t, p.Ended(), "sh has ended by itself (exit status 3); it printed:\npanic: why")
	require.ErrorContains(t, p.CheckOutput(), "sh broke: panic: why")
	_, err = p.Await(within(t), "more")
	require.ErrorContains(t, err, "ended (exit status 3) without printing")
}

func TestProcessThatDoesNotStop(t *testing.T) {
	p := shell(t, `trap "" TERM; echo deaf; while :; do sleep 1; done`, "")
	require.NoError(t, p.Start())
	_, err := p.Await(within(t), "deaf")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.Stop(ctx)
	require.ErrorIs(t, err, context.Canceled)
	select {
	case <-p.Exited():
	default:
		t.Error("it was not killed")
	}
}

func TestProcessWithALog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p := shell(t, "echo once more", log)
	for range 2 {
		require.NoError(t, p.Start())
		_, err := p.Wait(within(t))
		require.NoError(t, err)
	}
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, 4, strings.Count(string(text), "once more"), "the lives' commands and what they printed:\n%s", text)
	require.NoError(t, p.CheckOutput())
	require.ErrorContains(t, p.Ended(), "see "+log)
	_, err = p.Await(within(t), "once")
	require.Error(t, err)
}

func TestProcessDiesWithItsParent(t *testing.T) {
	if os.Getenv("RIG_PARENT") != "" {
		p, err := rig.Start(rig.Program{Path: "sleep", Args: []string{"60"}})
		require.NoError(t, err)
		fmt.Println("child /proc/" + strconv.Itoa(p.Pid()))
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	p, err := rig.Start(rig.Program{Path: os.Args[0], Args: []string{"-test.run=^" + t.Name() + "$"}, Env: []string{"RIG_PARENT=1"}})
	require.NoError(t, err)
	child, err := p.Await(within(t), `child (\S+)`)
	require.NoError(t, err)
	_, err = p.Wait(within(t))
	require.NoError(t, err)
	require.NoError(t, rig.Poll(within(t), func() error {
		stat, err := os.ReadFile(filepath.Join(child[1], "stat"))
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return errors.New("the child lives: " + string(stat))
		}
		return nil
	}))
}

func TestProgramThatIsNotThere(t *testing.T) {
	_, err := rig.Start(rig.Program{Path: "/nowhere/zkine"})
	require.ErrorContains(t, err, "start zkine: ")
}

// A zkine on a ZooKeeper that is shared serves, is killed, and serves on with what it had.
func TestZkine(t *testing.T) {
	z := rigtest.Start(t)
	require.Equal(t, 200, z.Probe("/readyz"))
	kv := dial(t, z.Endpoint)
	_, err := kv.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: []byte("v")})
	require.NoError(t, err)
	z.Kill()
	require.ErrorContains(t, z.Check(within(t), "/readyz"), "is not up")
	z.Start()
	require.NoError(t, z.AwaitReady(within(t)))
	resp, err := kv.Range(within(t), &pb.RangeRequest{Key: []byte("k")}, grpc.WaitForReady(true))
	require.NoError(t, err)
	require.Equal(t, int64(1), resp.Count)
}

func TestZkineThatCannotServe(t *testing.T) {
	z, err := rig.NewZkine(rig.ZkineConfig{Program: rigtest.Program(t), Name: "one", DataDir: t.TempDir(), ZooKeeper: "no address"})
	require.NoError(t, err)
	err = z.Up(within(t))
	require.ErrorContains(t, err, "one does not serve at "+z.Endpoint+": it has ended")
	require.ErrorContains(t, err, "it printed:\nzkine: --zookeeper: ")
}

// Three ZooKeepers have a leader, and a zkine that finds another server when that is gone.
func TestZooKeepers(t *testing.T) {
	servers, err := rig.StartZooKeepers(within(t), 3, embedded.Config{
		DataDir: t.TempDir(), Heap: 256 << 20, Properties: map[string]string{"forceSync": "no"},
	})
	require.NoError(t, err)
	t.Cleanup(servers.Kill)
	require.NoError(t, servers.Serve(within(t)))
	z := rigtest.StartOn(t, servers.Addresses(), "/rig")
	leader, err := servers.Leader(within(t))
	require.NoError(t, err)
	leader.Kill()
	require.Error(t, servers.Serve(within(t)))
	require.NoError(t, z.AwaitReady(within(t)))
	_, err = dial(t, z.Endpoint).Put(within(t), &pb.PutRequest{Key: []byte("k")}, grpc.WaitForReady(true))
	require.NoError(t, err)
}

// An etcd alone and three of them serve.
func TestEtcd(t *testing.T) {
	config := rig.EtcdConfig{Program: rigtest.Component(t, "etcd"), Name: "m", DataDir: t.TempDir(), Args: []string{"--unsafe-no-fsync", "--log-level=error"}}
	lone, err := rig.NewEtcd(config)
	require.NoError(t, err)
	t.Cleanup(lone.Kill)
	require.NoError(t, lone.Up(within(t)))

	config.DataDir = t.TempDir()
	three, err := rig.NewEtcds(3, config)
	require.NoError(t, err)
	for _, e := range three {
		t.Cleanup(e.Kill)
		require.NoError(t, e.Start())
	}
	for _, e := range three {
		require.NoError(t, e.AwaitServing(within(t)))
	}
	_, err = dial(t, three[0].Endpoint).Put(within(t), &pb.PutRequest{Key: []byte("k")})
	require.NoError(t, err)
	resp, err := dial(t, three[2].Endpoint).Range(within(t), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	require.Equal(t, int64(1), resp.Count)
}

func TestFreeAddresses(t *testing.T) {
	addresses, err := rig.FreeAddresses(100)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, a := range addresses {
		require.False(t, seen[a], a)
		seen[a] = true
		l, err := net.Listen("tcp", a)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

func dial(t *testing.T, endpoint string) pb.KVClient {
	conn, err := rig.Dial(endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return pb.NewKVClient(conn)
}
