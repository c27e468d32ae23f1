package k3s

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/conformance/rig"
)

var clusterFlag = flag.Bool("cluster", false, "also run two kube-apiservers as k3s does; minutes")

const (
	secrets    = "/api/v1/namespaces/default/secrets"
	configMaps = "/api/v1/namespaces/default/configmaps"
)

// encryptionKey is one of k3s' for secrets.
type encryptionKey struct{ name, secret string }

func newEncryptionKey(name string) encryptionKey {
	raw := make([]byte, 32)
	rand.Read(raw)
	return encryptionKey{name, base64.StdEncoding.EncodeToString(raw)}
}

var firstKey, secondKey = newEncryptionKey("aescbckey"), newEncryptionKey("aescbckey-rotated")

// encryption is k3s' encryption-config.json: the first key encrypts, each of them decrypts.
func encryption(t *testing.T, keys ...encryptionKey) []byte {
	t.Helper()
	var list []object
	for _, k := range keys {
		list = append(list, object{"name": k.name, "secret": k.secret})
	}
	text, err := json.Marshal(object{
		"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
		"resources": []object{{
			"resources": []string{"secrets"},
			"providers": []object{{"aescbc": object{"keys": list}}, {"identity": object{}}},
		}},
	})
	require.NoError(t, err)
	return text
}

// TestCluster starts a first server and lets a second one join by what the first has stored, then uses, rotates and hurts
// them.
func TestCluster(t *testing.T) {
	if !*clusterFlag {
		t.Skip("takes minutes, and a kube-apiserver; make k3s runs it")
	}
	onBoth(t, func(t *testing.T, s site) {
		const token = "cluster-token"
		files, authority := newRuntime(t)
		first := server(t, s.secure, token)
		found, err := first.Begin(within(t))
		require.NoError(t, err)
		require.Nil(t, found)
		dir := t.TempDir()
		files.write(t, dir)
		require.NoError(t, first.Save(within(t), files.encode(t), false))
		one := startAPIServer(t, "first", dir, s.secure, authority)

		second := server(t, s.secure, token)
		found, err = second.Begin(within(t))
		require.NoError(t, err)
		dir = t.TempDir()
		decode(t, found).write(t, dir)
		two := startAPIServer(t, "second", dir, s.secure, authority)

		both := &pair{one: one, two: two, first: first, second: second, files: files, store: raw(t, s.plain)}
		t.Run("watch", both.watch)
		t.Run("race", both.race)
		t.Run("rotation", both.rotate)
		if s.hurt != nil {
			s.hurt()
			t.Run("after a zkine was killed", both.race)
		}
	})
}

// pair is two servers of one cluster.
type pair struct {
	one, two      *apiserver
	first, second Server
	files         runtime
	store         *clientv3.Client
}

func raw(t *testing.T, d Datastore) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(d.Endpoint, ","), DialTimeout: patience})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// watch follows at the second server what is written at the first: everything, in order, once.
func (p *pair) watch(t *testing.T) {
	const writes = 50
	list := p.two.must(t, http.MethodGet, configMaps, nil)
	from := list["metadata"].(object)["resourceVersion"].(string)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		p.two.url+configMaps+"?watch=1&resourceVersion="+from+"&labelSelector=watched=yes", nil)
	require.NoError(t, err)
	resp, err := p.two.http.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	for i := range writes {
		p.one.must(t, http.MethodPost, configMaps, object{
			"metadata": object{"name": fmt.Sprint("w", i), "labels": object{"watched": "yes"}},
		})
	}
	events := json.NewDecoder(resp.Body)
	for i := range writes {
		var event struct {
			Type   string
			Object struct{ Metadata struct{ Name string } }
		}
		require.NoError(t, events.Decode(&event))
		require.Equal(t, "ADDED", event.Type)
		require.Equal(t, fmt.Sprint("w", i), event.Object.Metadata.Name)
	}
	p.two.must(t, http.MethodDelete, configMaps+"?labelSelector=watched=yes", nil)
	require.Empty(t, p.one.must(t, http.MethodGet, configMaps+"?labelSelector=watched=yes", nil)["items"])
}

// race counts at both servers at once: no count is lost, since one of two that read the same is refused.
func (p *pair) race(t *testing.T) {
	const each = 40
	p.one.must(t, http.MethodPost, configMaps, object{"metadata": object{"name": "counter"}, "data": object{"n": "0"}})
	var all errgroup.Group
	for _, a := range []*apiserver{p.one, p.two} {
		ctx := within(t)
		all.Go(func() error {
			for done := 0; done < each; {
				err := count(ctx, a)
				var no refused
				switch {
				case err == nil:
					done++
				case !errors.As(err, &no) || no.code != http.StatusConflict:
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	got := p.two.must(t, http.MethodGet, configMaps+"/counter", nil)
	require.Equal(t, strconv.Itoa(2*each), got["data"].(object)["n"])
	p.one.must(t, http.MethodDelete, configMaps+"/counter", nil)
}

// count adds one at the version that it has read.
func count(ctx context.Context, a *apiserver) error {
	text, err := a.do(ctx, http.MethodGet, configMaps+"/counter", nil)
	if err != nil {
		return err
	}
	var counter object
	if err := json.Unmarshal(text, &counter); err != nil {
		return err
	}
	n, err := strconv.Atoi(counter["data"].(object)["n"].(string))
	if err != nil {
		return err
	}
	counter["data"] = object{"n": strconv.Itoa(n + 1)}
	_, err = a.do(ctx, http.MethodPut, configMaps+"/counter", counter)
	return err
}

// rotate is secrets-encrypt prepare, rotate and reencrypt, each followed by a restart of the servers, as k3s' manual has it
// for more than one server; the new keys get to the second one by the bootstrap data.
func (p *pair) rotate(t *testing.T) {
	for i := range 10 {
		p.one.must(t, http.MethodPost, secrets, object{
			"metadata": object{"name": fmt.Sprint("s", i)}, "stringData": object{"password": fmt.Sprint("secret ", i)},
		})
	}
	p.stored(t, firstKey)
	p.read(t)
	p.keys(t, firstKey, secondKey) // prepare: each can read what the other will write
	p.read(t)
	p.keys(t, secondKey, firstKey) // rotate
	p.read(t)
	for i := range 10 { // reencrypt: what was written with the old key is written again
		path := secrets + fmt.Sprint("/s", i)
		p.one.must(t, http.MethodPut, path, p.one.must(t, http.MethodGet, path, nil))
	}
	p.stored(t, secondKey)
	p.keys(t, secondKey) // the old one is gone
	p.read(t)
}

// keys gives both servers other keys, by way of the bootstrap data.
func (p *pair) keys(t *testing.T, keys ...encryptionKey) {
	t.Helper()
	p.files["encryption-config.json"] = encryption(t, keys...)
	p.files.write(t, p.one.dir)
	require.NoError(t, p.first.Save(within(t), p.files.encode(t), true))
	p.one.restart(t)
	found, err := p.second.Begin(within(t))
	require.NoError(t, err)
	decode(t, found).write(t, p.two.dir)
	p.two.restart(t)
}

// stored looks into the datastore: each secret lies there encrypted by the key.
func (p *pair) stored(t *testing.T, key encryptionKey) {
	t.Helper()
	for i := range 10 {
		resp, err := p.store.Get(within(t), fmt.Sprint("/registry/secrets/default/s", i))
		require.NoError(t, err)
		require.Len(t, resp.Kvs, 1)
		require.True(t, strings.HasPrefix(string(resp.Kvs[0].Value), "k8s:enc:aescbc:v1:"+key.name+":"), "%.40q", resp.Kvs[0].Value)
	}
}

// read has both servers decrypt all.
func (p *pair) read(t *testing.T) {
	t.Helper()
	for _, a := range []*apiserver{p.one, p.two} {
		for i := range 10 {
			want := base64.StdEncoding.EncodeToString([]byte(fmt.Sprint("secret ", i)))
			require.NoError(t, rig.Poll(within(t), func() error {
				text, err := a.do(t.Context(), http.MethodGet, secrets+fmt.Sprint("/s", i), nil)
				if err != nil {
					return err
				}
				if !strings.Contains(string(text), want) {
					return fmt.Errorf("%s has another value for s%d", a.Name, i)
				}
				return nil
			}))
		}
	}
}
