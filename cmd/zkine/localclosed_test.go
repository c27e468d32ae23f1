package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/revision/zktest"
)

const nobody = 65534

// openDir is a new folder that every user of the host can enter, unlike
// t.TempDir.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "zkine-open")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// runStranger has another user of the host try everything on a target. Unless
// the tests run as root it is the same user in another process, for whom files
// and processes are open: then it tries the sessions and the words.
func runStranger(t *testing.T, on target) []attempt {
	t.Helper()
	program := filepath.Join(openDir(t), "stranger")
	copyFile(t, os.Args[0], program)
	cmd := exec.Command(program)
	told, err := json.Marshal(on)
	require.NoError(t, err)
	cmd.Env = []string{asStranger + "=" + string(told)}
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.Output()
	require.NoError(t, err, "the stranger did not come to its end")
	var all []attempt
	for lines := json.NewDecoder(strings.NewReader(string(out))); ; {
		var a attempt
		if err := lines.Decode(&a); err == io.EOF {
			return all
		} else {
			require.NoError(t, err)
		}
		all = append(all, a)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}

const secretValue = "a-secret-that-nobody-else-may-see"

// fillWithSecrets puts a secret into a zkine, and logs a user in, and returns the
// token.
func fillWithSecrets(t *testing.T, endpoint string) string {
	t.Helper()
	put(t, client(t, endpoint), "/registry/secrets/default/one", secretValue)
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	auth := pb.NewAuthClient(conn)
	_, err = auth.UserAdd(within(t), &pb.AuthUserAddRequest{Name: "root", Password: "pass-of-root"})
	require.NoError(t, err)
	_, err = auth.RoleAdd(within(t), &pb.AuthRoleAddRequest{Name: "root"})
	require.NoError(t, err)
	_, err = auth.UserGrantRole(within(t), &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
	require.NoError(t, err)
	_, err = auth.AuthEnable(within(t), &pb.AuthEnableRequest{})
	require.NoError(t, err)
	answer, err := auth.Authenticate(within(t), &pb.AuthenticateRequest{Name: "root", Password: "pass-of-root"})
	require.NoError(t, err)
	require.NotEmpty(t, answer.Token)
	return answer.Token
}

// tokenPart is what of a simple token is secret.
func tokenPart(token string) string {
	secret, _, _ := strings.Cut(token, ".")
	return secret
}

// TestTheLocalZooKeeperIsClosedToOtherUsers has another user of the host try
// everything.
func TestTheLocalZooKeeperIsClosedToOtherUsers(t *testing.T) {
	dir := filepath.Join(openDir(t), "data")
	p := startZkine(t, []string{"--data-dir=" + dir, "--bcrypt-cost=4"})
	token := fillWithSecrets(t, p.ready())
	secret := localSecret(t, dir)
	on := target{
		Addr: localAddr(t, p), Dir: dir, Pids: []int{p.cmd.Process.Pid, p.zooKeeperPid()},
		Markers: []string{secretValue, tokenPart(token), secret, "/zkine/"},
	}
	privileged := os.Geteuid() == 0
	if !privileged {
		t.Log("not root: the stranger is the same user, so that files and processes are left out; run this as root to have them tried by user 65534")
	}
	all := runStranger(t, on)
	require.Len(t, all, strangersAttempts)
	for _, a := range all {
		kind, _, _ := strings.Cut(a.What, ": ")
		switch {
		case !privileged && (kind == "file" || kind == "process"):
			continue
		case a.What == "find the port", kind == "open":
			require.Empty(t, a.Refused, a.What)
			if a.What == "open: cmdline" {
				require.NotContains(t, a.Saw, secret, a.What)
				require.NotContains(t, a.Saw, secretValue, a.What)
				continue
			}
		default:
			require.Regexp(t, refusals, a.Refused, a.What)
		}
		require.Empty(t, a.Saw, a.What)
	}
	require.Equal(t, 200, p.get("/readyz"))
	requireOneListener(t, p.zooKeeperPid(), on.Addr)
	require.NotContains(t, p.text(), secret)
	log, err := os.ReadFile(filepath.Join(dir, "zookeeper.log"))
	require.NoError(t, err)
	require.NotContains(t, string(log), secret)
}

// TestTheStrangerIsNoFool has the same attempts succeed where nothing is closed.
func TestTheStrangerIsNoFool(t *testing.T) {
	server := zktest.Start(t)
	p := startZkine(t, []string{"--zookeeper=" + server.Addr(), "--bcrypt-cost=4"})
	token := fillWithSecrets(t, p.ready())
	saw := map[string]bool{}
	for _, a := range runStranger(t, target{Addr: server.Addr(), Dir: server.DataDir(), Markers: []string{secretValue, tokenPart(token), "cluster"}}) {
		for _, m := range a.Saw {
			saw[m] = true
		}
		if kind, _, _ := strings.Cut(a.What, ": "); kind == "anonymous" && a.What != "anonymous: reconfigure" {
			require.Empty(t, a.Refused, a.What)
		}
	}
	require.Equal(t, map[string]bool{secretValue: true, tokenPart(token): true, "cluster": true}, saw)
}

// refusals are what the stranger may hear: for want of any credential, of the
// right one, of a feature; from the kernel; and to a word.
const refusals = `^(unknown error: -124|the server ended the connection|zk: not authenticated|.*reconfiguration feature is disabled` +
	`|.*permission denied|nothing can be read|".*is not in the whitelist\.\\n"|"")$`

// strangersAttempts are those of stranger: one may not be lost silently.
const strangersAttempts = 1 + 4*17 + (3 + 6 + 1) + 2*6 + 18 + 3

func localAddr(t *testing.T, p *process) string {
	t.Helper()
	return p.await(`Started ZooKeeper.* addr="?([^" ]+)"?`)
}

// localSecret is the password in a data folder.
func localSecret(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "secret"))
	require.NoError(t, err)
	secret, found := strings.CutPrefix(strings.TrimSpace(string(text)), "digest:zkine:")
	require.True(t, found)
	require.Len(t, secret, 64)
	return secret
}

// requireOneListener has a process listen at one address only: there is no admin
// server and no JMX.
func requireOneListener(t *testing.T, pid int, addr string) {
	t.Helper()
	inodes := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	require.NoError(t, err)
	for _, fd := range fds {
		link, _ := os.Readlink(fd) // it may be closed by now
		inodes[strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")] = true
	}
	var listens []string
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile("/proc/net/" + table)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && inodes[f[9]] {
				listens = append(listens, f[1])
			}
		}
	}
	_, port, _ := strings.Cut(addr, ":")
	var n int
	_, err = fmt.Sscan(port, &n)
	require.NoError(t, err)
	require.Len(t, listens, 1)
	// Java may listen on an IPv6 socket: the address is the loopback's all the same.
	require.Regexp(t, fmt.Sprintf("0100007F:%04X$", n), listens[0])
}
