package k3s

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// object is a piece of JSON.
type object = map[string]any

// runtime is what servers of a cluster share: k3s makes it on the first one, and hands it to the others as bootstrap data.
type runtime map[string][]byte

// newRuntime makes the files of a first server: authority, certificates, the key of the tokens, the encryption's keys.
func newRuntime(t *testing.T) (runtime, *certs.Authority) {
	t.Helper()
	authority := zktest.NewAuthority(t)
	files := runtime{}
	read := func(name, file string) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		files[name] = text
	}
	read("ca.crt", authority.CertFile())
	serving := zktest.Issue(t, authority, pkix.Name{CommonName: "kube-apiserver"}, "127.0.0.1", "localhost")
	proxy := zktest.Issue(t, authority, pkix.Name{CommonName: "system:auth-proxy"})
	tokens := zktest.Issue(t, authority, pkix.Name{CommonName: "service"})
	for name, pair := range map[string]certs.Issued{"serving": serving, "auth-proxy": proxy, "service": tokens} {
		read(name+".crt", pair.CertFile)
		read(name+".key", pair.KeyFile)
	}
	files["encryption-config.json"] = encryption(t, firstKey)
	return files, authority
}

// write puts the files where a server looks for them.
func (r runtime) write(t *testing.T, dir string) {
	t.Helper()
	for name, text := range r {
		// Renamed into place, as k3s does: the API server may read it at this moment.
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file+".new", text, 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
}

func (r runtime) encode(t *testing.T) []byte {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	return text
}

func decode(t *testing.T, text []byte) (r runtime) {
	t.Helper()
	require.NoError(t, json.Unmarshal(text, &r))
	return r
}

// apiserver is one k3s server's, of which nothing but the API server runs.
type apiserver struct {
	*rig.Process
	url, dir string
	http     *http.Client
}

// startAPIServer starts one with the flags that k3s gives it, on the files of a folder.
func startAPIServer(t *testing.T, name, dir string, d Datastore, authority *certs.Authority) *apiserver {
	t.Helper()
	address, err := rig.FreeAddress("127.0.0.1")
	require.NoError(t, err)
	_, port, ok := bytes.Cut([]byte(address), []byte(":"))
	require.True(t, ok)
	flags, err := d.Flags(within(t))
	require.NoError(t, err)
	in := func(file string) string { return filepath.Join(dir, file) }
	flags = append(flags,
		"--cert-dir="+in("temporary-certs"),
		"--allow-privileged=true", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range=10.43.0.0/16", "--service-node-port-range=30000-32767",
		"--advertise-address=192.0.2.1", "--bind-address=127.0.0.1", "--secure-port="+string(port),
		"--tls-cert-file="+in("serving.crt"), "--tls-private-key-file="+in("serving.key"),
		"--service-account-key-file="+in("service.crt"), "--service-account-signing-key-file="+in("service.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--api-audiences=https://kubernetes.default.svc.cluster.local,k3s",
		"--kubelet-certificate-authority="+in("ca.crt"),
		"--kubelet-client-certificate="+in("serving.crt"), "--kubelet-client-key="+in("serving.key"),
		"--requestheader-client-ca-file="+in("ca.crt"), "--requestheader-allowed-names=system:auth-proxy",
		"--proxy-client-cert-file="+in("auth-proxy.crt"), "--proxy-client-key-file="+in("auth-proxy.key"),
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--client-ca-file="+in("ca.crt"), "--anonymous-auth=false", "--profiling=false",
		"--encryption-provider-config="+in("encryption-config.json"), "--encryption-provider-config-automatic-reload=true",
	)
	admin := zktest.Issue(t, authority, pkix.Name{CommonName: "system:admin", Organization: []string{"system:masters"}})
	a := &apiserver{url: "https://" + address, dir: dir, http: &http.Client{Transport: &http.Transport{
		TLSClientConfig: zktest.ClientConfig(t, authority, admin), ForceAttemptHTTP2: true,
	}}}
	a.Process = rig.New(rig.Program{Name: name, Path: rigtest.Component(t, "kube-apiserver"), Args: flags})
	run(t, a.Process, a.up)
	return a
}

// up starts it and returns when it is ready.
func (a *apiserver) up(ctx context.Context) error {
	if err := a.Start(); err != nil {
		return err
	}
	return rig.Poll(ctx, func() error {
		if err := a.Ended(); err != nil {
			return err
		}
		_, err := a.do(ctx, http.MethodGet, "/readyz", nil)
		return err
	})
}

// restart ends it as systemctl restart k3s does.
func (a *apiserver) restart(t *testing.T) {
	t.Helper()
	_, err := a.Stop(within(t))
	require.NoError(t, err)
	a.http.CloseIdleConnections()
	require.NoError(t, a.up(within(t)))
}

// refused is an answer of the API server's that is none of success.
type refused struct {
	code int
	text string
}

func (r refused) Error() string { return fmt.Sprint(r.code, " ", r.text) }

// do sends a request and returns the answer.
func (a *apiserver) do(ctx context.Context, method, path string, body object) ([]byte, error) {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, sent)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, refused{resp.StatusCode, fmt.Sprintf("%.500s", text)}
	}
	return text, nil
}

// must is do for what has to succeed and has JSON for an answer.
func (a *apiserver) must(t *testing.T, method, path string, body object) (answer object) {
	t.Helper()
	text, err := a.do(within(t), method, path, body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &answer))
	return answer
}
