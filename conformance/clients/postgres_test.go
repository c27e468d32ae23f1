package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
)

// TestPostgres has Patroni itself keep a PostgreSQL of two nodes: it starts, switches over, fails over, and outlives a
// kill -9 of a server of its store. Patroni is Debian's, PostgreSQL the system's.
func TestPostgres(t *testing.T) {
	slow(t)
	for name, start := range map[string]hurtable{"zkine": twoZkines, "etcd": oneEtcd} {
		t.Run(name, func(t *testing.T) {
			hosts, hurt := start(t)
			c := newPostgres(t, hosts)
			c.node[0].start()
			c.awaitLeader(0)
			c.node[1].start()
			c.awaitReplica(1)
			c.write(0, "first")
			c.awaitRead(1, "first")

			c.post(0, "/switchover", object{"leader": "node0", "candidate": "node1"})
			c.awaitLeader(1)
			c.awaitReplica(0)
			c.write(1, "switched")
			c.awaitRead(0, "switched")

			c.node[1].crash() // its lease runs out
			c.awaitLeader(0)
			require.Equal(t, "first switched", c.read(0))
			c.write(0, "failed")
			c.node[1].start()
			c.awaitReplica(1)

			before := c.timeline(0)
			hurt()
			c.write(0, "hurt")
			c.post(0, "/switchover", object{"leader": "node0", "candidate": "node1"})
			c.awaitLeader(1)
			c.awaitReplica(0)
			require.Equal(t, before+1, c.timeline(1), "none but the switchover that was asked for")
			require.Equal(t, "first switched failed hurt", c.read(1))
		})
	}
}

// postgres is a cluster that Patroni keeps.
type postgres struct {
	t    *testing.T
	node [2]*postgresNode
}

// postgresNode is a Patroni with its PostgreSQL.
type postgresNode struct {
	*rig.Process
	t             *testing.T
	bin, data     string
	api, database string // host:port
}

// newPostgres describes two nodes. They run as the user postgres, since PostgreSQL does not as root.
func newPostgres(t *testing.T, hosts []string) *postgres {
	t.Helper()
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, bins, "no PostgreSQL (Debian: apt-get install postgresql)")
	checkout, err := rig.Checkout()
	require.NoError(t, err)
	patroni := filepath.Join(checkout, ".cache", "patroni")
	text, err := exec.CommandContext(within(t), "./fetch-patroni.sh", patroni).CombinedOutput()
	require.NoError(t, err, "%s", text)

	owner, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, err := strconv.Atoi(owner.Uid)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "patroni-") // a test's own folders are closed to other users
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chown(dir, uid, -1))

	c := &postgres{t: t}
	for i := range c.node {
		addresses, err := rig.FreeAddresses(2)
		require.NoError(t, err)
		n := &postgresNode{t: t, bin: bins[len(bins)-1], api: addresses[0], database: addresses[1]}
		name := fmt.Sprint("node", i)
		n.data = filepath.Join(dir, name)
		file := filepath.Join(dir, name+".yml")
		config, err := json.Marshal(n.config(name, dir, hosts)) // YAML, too
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, config, 0o644))
		setpriv, err := exec.LookPath("setpriv")
		require.NoError(t, err)
		// A file: PostgreSQL outlives a Patroni that is killed, and would hold a pipe open.
		log := filepath.Join(t.TempDir(), name+".log")
		n.Process = rig.New(rig.Program{
			Name: name, Path: setpriv, Log: log,
			Args: []string{"--reuid=postgres", "--regid=postgres", "--init-groups", filepath.Join(patroni, "patroni"), file},
			Env:  []string{"HOME=" + dir},
		})
		t.Cleanup(func() {
			n.crash()
			if text, err := os.ReadFile(log); t.Failed() {
				t.Logf("%s printed (%v):\n%s", name, err, text[max(0, len(text)-10000):])
			}
		})
		c.node[i] = n
	}
	return c
}

func (n *postgresNode) config(name, dir string, hosts []string) object {
	return object{
		"scope": "cluster", "name": name,
		"restapi": object{"listen": n.api, "connect_address": n.api},
		"etcd3":   object{"hosts": hosts},
		"bootstrap": object{
			"dcs": object{
				"ttl": 20, "loop_wait": 1, "retry_timeout": 9,
				"postgresql": object{"use_pg_rewind": true, "parameters": object{"wal_log_hints": "on"}},
			},
			"initdb": []any{object{"encoding": "UTF8"}, object{"auth": "trust"}},
		},
		"postgresql": object{
			"listen": n.database, "connect_address": n.database, "data_dir": n.data, "bin_dir": n.bin, "pgpass": filepath.Join(dir, name+".pgpass"),
			"authentication": object{
				"superuser": object{"username": "postgres", "password": "of all"}, "replication": object{"username": "replicator", "password": "of some"},
			},
			"parameters": object{"unix_socket_directories": dir, "fsync": "off", "shared_buffers": "16MB", "max_connections": 20},
			"pg_hba":     []string{"local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"},
		},
	}
}

func (n *postgresNode) start() {
	n.t.Helper()
	require.NoError(n.t, n.Start())
}

// crash ends Patroni and its PostgreSQL as a power cut would.
func (n *postgresNode) crash() {
	n.Kill()
	stop := exec.Command("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", filepath.Join(n.bin, "pg_ctl"), "stop", "-m", "immediate", "-D", n.data)
	_ = stop.Run() // it may have ended with Patroni
}

// await waits until Patroni's answer to a path is that it is so.
func (c *postgres) await(node int, path string) {
	c.t.Helper()
	n := c.node[node]
	require.NoError(c.t, rig.Poll(within(c.t), func() error {
		if err := n.Ended(); err != nil {
			return err
		}
		code, text, err := rig.Probe(c.t.Context(), "http://"+n.api+path)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("%s is not %s: %s", n.Name, path, text)
		}
		return err
	}))
}

func (c *postgres) awaitLeader(node int) {
	c.t.Helper()
	c.await(node, "/read-write")
}

func (c *postgres) awaitReplica(node int) {
	c.t.Helper()
	c.await(node, "/replica?lag=0")
}

// post asks Patroni's API for something, again while it says that it cannot yet.
func (c *postgres) post(node int, path string, body object) {
	c.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(c.t, err)
	require.NoError(c.t, rig.Poll(within(c.t), func() error {
		resp, err := http.Post("http://"+c.node[node].api+path, "application/json", bytes.NewReader(text))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, resp.Status)
		}
		return nil
	}))
}

func (c *postgres) timeline(node int) int {
	c.t.Helper()
	_, text, err := rig.Probe(within(c.t), "http://"+c.node[node].api+"/patroni")
	require.NoError(c.t, err)
	var status struct{ Timeline int }
	require.NoError(c.t, json.Unmarshal([]byte(text), &status))
	require.NotZero(c.t, status.Timeline)
	return status.Timeline
}

// sql runs a command by psql.
func (c *postgres) sql(ctx context.Context, node int, command string) (string, error) {
	host, port, _ := strings.Cut(c.node[node].database, ":")
	psql := exec.CommandContext(ctx, filepath.Join(c.node[node].bin, "psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
		"-h", host, "-p", port, "-U", "postgres", "-c", command)
	psql.Env = append(os.Environ(), "PGCONNECT_TIMEOUT=5")
	out, err := psql.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

func (c *postgres) write(node int, text string) {
	c.t.Helper()
	require.NoError(c.t, rig.Poll(within(c.t), func() error {
		_, err := c.sql(c.t.Context(), node, "create table if not exists words (at serial primary key, word text unique); "+
			"insert into words (word) values ('"+text+"') on conflict do nothing")
		return err
	}))
}

func (c *postgres) read(node int) string {
	c.t.Helper()
	text, err := c.sql(within(c.t), node, "select string_agg(word, ' ' order by at) from words")
	require.NoError(c.t, err)
	return text
}

// awaitRead waits until a word has been replicated.
func (c *postgres) awaitRead(node int, word string) {
	c.t.Helper()
	require.NoError(c.t, rig.Poll(within(c.t), func() error {
		text, err := c.sql(c.t.Context(), node, "select count(*) from words where word = '"+word+"'")
		if err == nil && text != "1" {
			err = fmt.Errorf("%s has no %q yet", c.node[node].Name, word)
		}
		return err
	}))
}
