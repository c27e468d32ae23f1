package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/revision/zktest"
)

// limit bounds every wait of these tests; a loaded machine is slow, not wrong.
const limit = 60 * time.Second

// asZkine, when set, makes this test binary the zkine command.
const asZkine = "RUN_AS_ZKINE"

func TestMain(m *testing.M) {
	if os.Getenv(asZkine) != "" {
		main()
	}
	if told := os.Getenv(asStranger); told != "" {
		stranger(told)
		os.Exit(0)
	}
	zktest.Main(m)
}

// process is a zkine that runs as a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	exited chan struct{} // closed when it is gone, and its output read

	mu      sync.Mutex
	output  strings.Builder
	changed chan struct{} // closed and replaced when there is more output
}

// startZkine runs "zkine server" with further arguments, on ports of its own.
// env is added to the environment, as "NAME=value".
func startZkine(t *testing.T, args []string, env ...string) *process {
	t.Helper()
	return startZkineIn(t, nil, args, env...)
}

// startZkineIn is startZkine with attributes of the process, such as a PID
// namespace of its own.
func startZkineIn(t *testing.T, attributes *syscall.SysProcAttr, args []string, env ...string) *process {
	t.Helper()
	binary, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	return startProgram(t, binary, attributes, args, env...)
}

// startProgram is startZkineIn for a program that runs the zkine command.
func startProgram(t *testing.T, program string, attributes *syscall.SysProcAttr, args []string, env ...string) *process {
	t.Helper()
	return startArgs(t, program, attributes, append([]string{
		"server", "--listen-client-urls=http://127.0.0.1:0", "--listen-metrics-urls=http://127.0.0.1:0",
	}, args...), env...)
}

// startArgs is startProgram without arguments of its own.
func startArgs(t *testing.T, program string, attributes *syscall.SysProcAttr, args []string, env ...string) *process {
	t.Helper()
	p := &process{t: t, exited: make(chan struct{}), changed: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(append(os.Environ(), asZkine+"=1", reportRaces, "ZOOKEEPER_HOME="+zooKeeperForTests()), env...)
	p.cmd.Dir = t.TempDir() // where it remembers what it served, unless --data-dir says otherwise
	p.cmd.Stderr, p.cmd.SysProcAttr = p, attributes
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // the exit code is read off the state
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.exited
		if t.Failed() {
			t.Logf("zkine %v printed:\n%s", p.cmd.Args[1:], p.text())
		}
	})
	return p
}

// zooKeeperForTests is where make zookeeper puts it.
func zooKeeperForTests() string {
	if dir := os.Getenv("ZKINE_ZOOKEEPER_DIR"); dir != "" {
		return dir
	}
	dir, err := filepath.Abs("../../.cache/zookeeper")
	if err != nil {
		panic(err)
	}
	return dir
}

// Write takes the process's output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.output.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// await waits for output that matches and returns the last group of the match.
func (p *process) await(pattern string) string {
	p.t.Helper()
	return p.awaitAfter(0, pattern)
}

// awaitAfter is await for what comes after so many bytes of output.
func (p *process) awaitAfter(n int, pattern string) string {
	p.t.Helper()
	expression := regexp.MustCompile(pattern)
	timeout := time.After(limit)
	for {
		p.mu.Lock()
		match, changed := expression.FindStringSubmatch(p.output.String()[n:]), p.changed
		p.mu.Unlock()
		if match != nil {
			return match[len(match)-1]
		}
		select {
		case <-changed:
		case <-p.exited:
			if !expression.MatchString(p.text()[n:]) {
				p.t.Fatalf("zkine ended without printing %q", pattern)
			}
		case <-timeout:
			p.t.Fatalf("zkine does not print %q", pattern)
		}
	}
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// end waits for the process's end and returns its exit code. There must be no races.
func (p *process) end() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(limit):
		p.t.Fatal("zkine does not end")
	}
	require.Empty(p.t, unknownRaces(p.text()))
	return p.cmd.ProcessState.ExitCode()
}

// problem expects the process to end with exit code 1, and returns its last
// line, which must be the problem.
func (p *process) problem() string {
	p.t.Helper()
	return p.problemOf(1)
}

// decision expects the process to end because a person must decide, and returns
// its last line.
func (p *process) decision() string {
	p.t.Helper()
	return p.problemOf(3)
}

func (p *process) problemOf(codes ...int) string {
	p.t.Helper()
	require.Contains(p.t, codes, p.end())
	lines := strings.Split(strings.TrimSpace(p.text()), "\n")
	last := lines[len(lines)-1]
	require.Regexp(p.t, "^zkine: ", last)
	require.Contains(p.t, last, " — ", "no remedy")
	return last
}

// ready waits until zkine says that it is, and returns the first endpoint.
func (p *process) ready() string {
	p.t.Helper()
	return p.await(`zkine is ready: etcdctl --endpoints=http://([^," ]+)`)
}

// zooKeeperPid is the local ZooKeeper's process id.
func (p *process) zooKeeperPid() int {
	p.t.Helper()
	pid, err := strconv.Atoi(p.await(`Started ZooKeeper.* pid=(\d+)`))
	require.NoError(p.t, err)
	return pid
}

// get asks a metrics URL and returns the status code and the body.
func (p *process) get(path string) int {
	p.t.Helper()
	address := p.await(`serving metrics and health.*address="?([^" \n]+)"?`)
	response, err := http.Get("http://" + address + path)
	require.NoError(p.t, err)
	defer response.Body.Close()
	return response.StatusCode
}

// client connects to an endpoint that gRPC understands.
func client(t *testing.T, endpoint string) pb.KVClient {
	t.Helper()
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return pb.NewKVClient(conn)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func put(t *testing.T, kv pb.KVClient, key, value string) {
	t.Helper()
	_, err := kv.Put(within(t), &pb.PutRequest{Key: []byte(key), Value: []byte(value)}, grpc.WaitForReady(true))
	require.NoError(t, err)
}

// expect checks a key's value.
func expect(t *testing.T, kv pb.KVClient, key, value string) {
	t.Helper()
	response, err := kv.Range(within(t), &pb.RangeRequest{Key: []byte(key)}, grpc.WaitForReady(true))
	require.NoError(t, err)
	require.Len(t, response.Kvs, 1)
	require.Equal(t, value, string(response.Kvs[0].Value))
}

// awaitGone waits until a process has ended. It may be a zombie still.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ")
		return err != nil || strings.HasPrefix(rest, "Z")
	}, limit, 5*time.Millisecond, "process %d is still there", pid)
}
