package k3s

import (
	"context"
	"fmt"
	"strings"

	"github.com/k3s-io/kine/pkg/client"
	"github.com/k3s-io/kine/pkg/endpoint"
	"github.com/k3s-io/kine/pkg/tls"
)

// Datastore is what an operator gives k3s: --datastore-endpoint and the three files.
type Datastore struct {
	Endpoint                  string
	CAFile, CertFile, KeyFile string
}

// Resolve hands it to kine, as k3s does at its start. For an etcd, kine serves nothing itself: it returns the endpoints,
// one by one, and the files, for k3s' own client and for kube-apiserver's flags.
func (d Datastore) Resolve(ctx context.Context) (endpoint.ETCDConfig, error) {
	return endpoint.Listen(ctx, endpoint.Config{
		Endpoint:         d.Endpoint,
		BackendTLSConfig: tls.Config{CAFile: d.CAFile, CertFile: d.CertFile, KeyFile: d.KeyFile},
	})
}

// Open is a client of it, as k3s makes one for its bootstrap.
func (d Datastore) Open(ctx context.Context) (client.Client, error) {
	config, err := d.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	if !config.LeaderElect {
		return nil, fmt.Errorf("%s: kine takes it for a store of one server", d.Endpoint)
	}
	return client.New(config)
}

// Flags are those by which k3s points its kube-apiserver to the datastore.
func (d Datastore) Flags(ctx context.Context) ([]string, error) {
	config, err := d.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	flags := []string{"--storage-backend=etcd3", "--etcd-servers=" + strings.Join(config.Endpoints, ",")}
	for name, file := range map[string]string{
		"etcd-cafile": config.TLSConfig.CAFile, "etcd-certfile": config.TLSConfig.CertFile, "etcd-keyfile": config.TLSConfig.KeyFile,
	} {
		if file != "" {
			flags = append(flags, "--"+name+"="+file)
		}
	}
	return flags, nil
}
