package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/term"

	"github.com/zkine/zkine/cmd/zkine/top"
	"github.com/zkine/zkine/server/usage"
)

const topHelp = `Show who asks the members of a cluster for what: the busiest prefixes of keys, Kubernetes' resources and namespaces
among them, and the busiest clients; where the members stand; and what the ZooKeeper servers say.

Each member is asked that the endpoints name or know of, with the flags of etcdctl. While users count, root alone may
ask. The page has its keys under "?". See docs/top.md.`

// topOptions are the flags of `zkine top`.
type topOptions struct {
	client   clientFlags
	once     bool
	output   string
	interval time.Duration
	limit    int
}

// textWidth is how wide the text is that --once prints where there is no terminal.
const textWidth = 132

// newTopCommand builds `zkine top`.
func newTopCommand(environ []string) *cobra.Command {
	var t topOptions
	cmd := &cobra.Command{
		Use: "top", Short: "Show the busiest prefixes and clients, the members and the ensemble", Long: topHelp, Args: noArguments,
		Example: "  zkine top --endpoints=http://10.0.0.1:2379\n  zkine top --once -o json | jq '.usage.prefixes[0]'",
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&t.once, "once", false, "print what there is to see now, and end")
	f.StringVarP(&t.output, "output", "o", "text", "`format` with --once: text or json")
	f.DurationVar(&t.interval, "interval", 2*time.Second, "how often the page is drawn, and how long its rates are over")
	f.IntVar(&t.limit, "limit", usage.DefaultLimit, "how many prefixes and clients each member lists")
	t.client.bind(f, "members (default: http://127.0.0.1:2379)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		env, err := readEnv(f, environ)
		if err != nil {
			return err
		}
		v := checker{flags: f, from: env.from}
		t.check(&v)
		if err := v.err(); err != nil {
			return err
		}
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		defer stoppable(cmd, logrus.NewEntry(silent))()
		return t.run(cmd.Context(), cmd.OutOrStdout())
	}
	return cmd
}

func (t *topOptions) check(v *checker) {
	if len(t.client.endpoints) == 0 {
		t.client.endpoints = []string{t.client.scheme() + "127.0.0.1:2379"}
	}
	t.client.check(v)
	v.oneOf("output", t.output, "text", "json")
	v.duration("interval", t.interval, 500*time.Millisecond, usage.MaxInterval)
	v.between("limit", int64(t.limit), 1, usage.MaxLimit, plain)
	if t.output != "text" && !t.once {
		v.refuse("output", "it goes with --once", "add that, or leave it out")
	}
}

func (t *topOptions) run(ctx context.Context, out io.Writer) error {
	// The clients outlive the first question.
	g := &top.Gatherer{Endpoints: t.client.endpoints, Limit: t.limit, Connect: func(asking context.Context, url string) (*clientv3.Client, error) {
		one := t.client
		one.endpoints = []string{url}
		if deadline, ok := asking.Deadline(); ok {
			one.dialTimeout = min(one.dialTimeout, max(time.Until(deadline), 100*time.Millisecond)) // 0 would be for ever
		}
		return one.connect(ctx)
	}}
	defer g.Close()
	if t.once {
		return t.print(ctx, g, out)
	}
	if file, ok := out.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) || !term.IsTerminal(int(os.Stdin.Fd())) {
		return &problem{thing: "the page", what: "it needs a terminal", remedy: "print what there is to see with --once", usage: true}
	}
	if err := top.Run(ctx, g, t.interval); err != nil {
		return &problem{thing: "the page", what: oneLine(err.Error()), remedy: "try another TERM, or --once"}
	}
	return nil
}

// print prints what is known now.
func (t *topOptions) print(ctx context.Context, g *top.Gatherer, out io.Writer) error {
	asking, cancel := context.WithTimeout(ctx, t.client.dialTimeout)
	defer cancel()
	s := g.Gather(asking, t.interval)
	if err := unlessStopped(ctx); err != nil {
		return err
	}
	if err := s.Problem(); err != nil {
		p := about(t.client.name(), err)
		p.remedy = "check --endpoints, and the flags for TLS and users"
		return p
	}
	if t.output == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	width := textWidth
	if file, ok := out.(*os.File); ok {
		if w, _, err := term.GetSize(int(file.Fd())); err == nil {
			width = slices.Max([]int{w, 40})
		}
	}
	_, err := fmt.Fprint(out, s.Text(width))
	return err
}
