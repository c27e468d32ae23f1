package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/zkine/zkine/cmd/zkine/clienturl"
)

const healthHelp = `Ask a zkine on this machine whether it serves, and say so: the exit code is 0 if it does, else 1.

It is for health checks of containers and units. Where to ask is in the flags and variables that zkine server has:
--listen-metrics-urls, or --listen-client-urls if there are none. With TLS it shows the certificate of --cert-file, in
case one is demanded, and does not look at the server's: it asks this machine.`

// healthOptions are the flags of `zkine health`.
type healthOptions struct {
	metricsURLs, clientURLs []string
	certFile, keyFile       string
	live                    bool
	timeout                 time.Duration
}

func (h *healthOptions) bind(f *pflag.FlagSet) {
	f.SortFlags = false
	f.BoolVar(&h.live, "live", false, "ask only whether it is alive, as it is while it starts, or while ZooKeeper is away")
	f.DurationVar(&h.timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	f.StringSliceVar(&h.metricsURLs, "listen-metrics-urls", []string{"http://127.0.0.1:2381"}, "`urls` of metrics and health; the first is asked")
	f.StringSliceVar(&h.clientURLs, "listen-client-urls", []string{"http://127.0.0.1:2379"}, "`urls` of clients; the first is asked if there is none for health")
	f.StringVar(&h.certFile, "cert-file", "", "PEM `file` of a certificate to show with https:// and unixs://")
	f.StringVar(&h.keyFile, "key-file", "", "PEM `file` of its key")
}

// newHealthCommand builds `zkine health`.
func newHealthCommand(environ []string) *cobra.Command {
	var h healthOptions
	cmd := &cobra.Command{Use: "health", Short: "Ask a zkine on this machine whether it serves", Long: healthHelp, Args: noArguments}
	h.bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := readCommandEnv(cmd.Flags(), environ); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), h.timeout, fmt.Errorf("no answer within %v", h.timeout))
		defer cancel()
		return h.ask(ctx, cmd.OutOrStdout())
	}
	return cmd
}

// ask asks, and prints the answer.
func (h *healthOptions) ask(ctx context.Context, out io.Writer) error {
	from := ""
	for _, u := range append(h.metricsURLs, h.clientURLs...) {
		if from = strings.TrimSpace(u); from != "" {
			break
		}
	}
	path := "/readyz"
	if h.live {
		path = "/livez"
	}
	answer, err := clienturl.Get(ctx, from, path, h.tls, maxHealth)
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, clienturl.ErrURL):
		return &problem{thing: from, what: oneLine(err.Error()), remedy: "write it as for zkine server", usage: true}
	case err != nil:
		return &problem{thing: from, what: "zkine does not answer: " + oneLine(err.Error())}
	}
	text := strings.TrimSpace(string(answer.Body))
	if answer.Code != http.StatusOK {
		return &problem{thing: from + path, what: strings.ReplaceAll(text, "\n", "; ")}
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

// maxHealth bounds what is read of an answer, in bytes.
const maxHealth = 64 << 10

// tls shows the certificate that is named. It asks the process on this machine whose
// URL it was told, for a word that is no secret; its certificate need not be for the
// address that is dialled.
func (h *healthOptions) tls() (*tls.Config, error) {
	config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see above
	if h.certFile == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(h.certFile, h.keyFile)
	if err != nil {
		return nil, &problem{thing: "--cert-file", what: oneLine(err.Error()), remedy: "name a certificate, and its key with --key-file"}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
