package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/cmd/zkine/doctor"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

const doctorHelp = `Look at a ZooKeeper ensemble, and at the zkines on it, and say what is wrong, why that matters and what to do. Run it
before an ensemble is used, and whenever something is odd; zkines may go on serving.

  zkine doctor --zookeeper=zk1:2181,zk2:2181,zk3:2181 --zookeeper-root=/zkine/prod
  zkine doctor --endpoints=http://127.0.0.1:2379

Give it the flags towards ZooKeeper that the server has; they may be in its variables, too. Zkines that the root lists
are asked at the URLs that they tell clients. What cannot be looked at is said, with the reason.

It changes nothing that lasts: writes are tried on an ephemeral znode. docs/doctor.md lists the checks.

The exit code is 0 without a finding that matters, 1 with one, 4 if nothing could be looked at, and 2 for a command line
that cannot be.`

// doctorOptions are the flags of `zkine doctor` beside those of `zkine log`.
type doctorOptions struct {
	maxRequest int
	quota      int64
	adminPort  int
	zooCfg     string
	output     string
	ignore     []string
	client     clientFlags
}

// newDoctorCommand builds `zkine doctor`.
func newDoctorCommand(environ []string) *cobra.Command {
	var d doctorOptions
	cmd := &cobra.Command{
		Use:         "doctor",
		Short:       "Say what is wrong with an ensemble and the zkines on it, and what to do",
		Long:        doctorHelp,
		Annotations: map[string]string{needsNoRoot: never, looksAtRunning: ""},
	}
	names, _ := doctor.Names()
	f := cmd.Flags()
	f.StringVarP(&d.output, "output", "o", "text", "`format`: text or json")
	f.StringSliceVar(&d.ignore, "ignore", nil, "`checks` that are left out: "+strings.Join(names, ", "))
	f.IntVar(&d.maxRequest, "max-zookeeper-request", zklog.DefaultMaxRequest, "largest request to ZooKeeper in `bytes`, as the server has it")
	f.Int64Var(&d.quota, "quota-backend-bytes", backend.DefaultQuotaBytes, "most `bytes` that the root may hold, as the server has it")
	f.IntVar(&d.adminPort, "zookeeper-admin-port", 8080, "`port` of the servers' admin servers, which tell settings over HTTP; 0 to ask none")
	f.StringVar(&d.zooCfg, "zoo-cfg", "", "`file`: the zoo.cfg that the servers run with, for settings that they do not tell")
	d.client.bind(f, "zkines to ask, instead of those that the root lists")
	return completeLogCommand(environ, cmd, d.run, d.check)
}

func (d *doctorOptions) check(v *checker) {
	v.oneOf("output", d.output, "text", "json")
	v.between("max-zookeeper-request", int64(d.maxRequest), minZooKeeperRequest, maxZooKeeperRequest, bytes)
	v.between("zookeeper-admin-port", int64(d.adminPort), 0, 65535, plain)
	names, _ := doctor.Names()
	for _, name := range d.ignore {
		v.oneOf("ignore", name, names...)
	}
	d.client.check(v)
	d.client.checkAccess(v)
	if d.quota == 0 {
		d.quota = backend.DefaultQuotaBytes
	}
}

// maxZooCfg bounds what is read of a zoo.cfg, in bytes.
const maxZooCfg = 1 << 20

func (d *doctorOptions) run(cmd *cobra.Command, o *logOptions) error {
	if !o.named() && len(d.client.endpoints) == 0 {
		return &problem{thing: "--zookeeper", what: "is needed", usage: true, remedy: "name the ensemble's servers, host:port,..., or zkines with --endpoints"}
	}
	cfg := doctor.Config{
		Version: productVersion(), DialTimeout: o.timeout, Root: o.root, ClusterID: uint64(o.cluster.id), ACL: zkacl.List(o.secured.acl),
		MaxRequest: d.maxRequest, Quota: d.quota, SessionTimeout: o.sessionTimeout, AdminPort: d.adminPort,
		Endpoints: d.client.endpoints, Connect: d.connect, TLS: d.client.tls, Ignore: d.ignore,
	}
	if len(o.zookeeper) > 0 {
		cfg.Ensemble = o.secured.secure(&zkclient.Ensemble{Servers: o.zookeeper, Timeout: o.sessionTimeout, MaxRequest: d.maxRequest, PreferLeader: true, Log: o.log})
	}
	if cfg.Local = o.local; cfg.Local && d.zooCfg == "" {
		d.zooCfg = embedded.ZooCfg(o.dataDir)
	}
	if d.zooCfg != "" {
		text, err := readBounded(d.zooCfg, maxZooCfg)
		if err != nil {
			return &problem{thing: "--zoo-cfg", what: oneLine(err.Error()), remedy: "name the file that the servers run with", usage: true}
		}
		cfg.ZooCfg = string(text)
	}
	var p lookProgress
	cfg.Progress = func(about string, done, of int) { p.set("looking: "+about, int64(done), int64(of)) }
	out := cmd.ErrOrStderr()
	status, _ := terminal(out)
	over := showProgress(func(text string) { fmt.Fprintln(out, text) }, status, p.now)
	report, err := doctor.Run(cmd.Context(), cfg)
	over()
	if err != nil {
		return err
	}
	if err := printLook(cmd.OutOrStdout(), report, d.output); err != nil {
		return err
	}
	return verdict(report)
}

// verdict is the exit code, with its line.
func verdict(r *doctor.Report) error {
	switch n := r.Count(doctor.Problem); {
	case r.Blind:
		return &problem{thing: "doctor", what: "nothing could be looked at", remedy: "check --zookeeper and --endpoints, and the flags for TLS and users", blind: true}
	case n > 0:
		return &problem{thing: "doctor", what: fmt.Sprintf("%d of %d findings matter", n, len(r.Findings)), remedy: "see above; --ignore leaves checks out"}
	}
	return nil
}

// connect makes a client for one URL.
func (d *doctorOptions) connect(ctx context.Context, url string) (*clientv3.Client, error) {
	one := d.client
	one.endpoints = []string{url}
	return one.connect(ctx)
}

// printLook prints a report: what matters first.
func printLook(w io.Writer, r *doctor.Report, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	words := map[doctor.Level]string{doctor.Problem: "PROBLEM", doctor.Advice: "advice", doctor.Unknown: "unknown", doctor.OK: "ok"}
	levels := []doctor.Level{doctor.Problem, doctor.Advice, doctor.Unknown, doctor.OK}
	for _, level := range levels {
		for _, f := range alike(r.Findings, level) {
			thing := printable(f.Thing)
			if thing != "" {
				thing += ": "
			}
			if _, err := fmt.Fprintf(w, "%-8s %-14s %s%s\n", words[level], f.Check, thing, printable(f.What)); err != nil {
				return err
			}
			if f.Why != "" {
				fmt.Fprintf(w, "%24swhy: %s\n", "", printable(f.Why))
			}
			if f.Remedy != "" {
				fmt.Fprintf(w, "%24sdo:  %s\n", "", printable(f.Remedy))
			}
		}
	}
	var counts []string
	for _, level := range levels {
		counts = append(counts, fmt.Sprintf("%d %s", r.Count(level), level))
	}
	_, err := fmt.Fprintln(w, strings.Join(counts, ", "))
	return err
}

// printable is a text of a member's, a server's or a client's choice as a terminal may
// have it, in one line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// alike are the findings of a level, those that say the same of several things as one,
// and what several checks could not look at for the same reason.
func alike(all []doctor.Finding, level doctor.Level) (some []doctor.Finding) {
	for _, f := range all {
		if f.Level != level {
			continue
		}
		if f.Level == doctor.Unknown && f.Thing == "" {
			same := slices.IndexFunc(some, func(s doctor.Finding) bool { return s.What == f.What && s.Thing == "" })
			if same >= 0 {
				some[same].Check += ", " + f.Check
				continue
			}
		}
		at := slices.IndexFunc(some, func(s doctor.Finding) bool {
			return s.Check == f.Check && s.What == f.What && cmp.Or(s.Why, s.Remedy) == cmp.Or(f.Why, f.Remedy) && s.Thing != ""
		})
		if at >= 0 && f.Thing != "" {
			some[at].Thing += ", " + f.Thing
			continue
		}
		some = append(some, f)
	}
	return some
}
