// Package etcdflags knows the flags of etcd 3.5 to 3.7 that have no meaning here,
// and why. A command declares them, so that one is refused with its reason, or
// accepted by an operator who brings etcd's own command line.
package etcdflags

import (
	"strings"

	"github.com/spf13/pflag"
)

// reasons are why, for all flags of a group.
var reasons = []struct {
	why   string
	flags string // with spaces between; one that ends with = takes a value, else it is a switch
}{
	{"zkines have no peers, they meet in ZooKeeper: --zookeeper and --zookeeper-root say where",
		`listen-peer-urls= initial-advertise-peer-urls= initial-cluster= initial-cluster-state= initial-cluster-token= strict-reconfig-check max-learners=
		 peer-cert-file= peer-key-file= peer-client-cert-auth peer-client-cert-file= peer-client-key-file= peer-trusted-ca-file= peer-cert-allowed-cn=
		 peer-cert-allowed-hostname= peer-auto-tls peer-crl-file= peer-skip-client-san-verification experimental-peer-skip-client-san-verification experimental-max-learners=
		 discovery= discovery-token= discovery-endpoints= discovery-dial-timeout= discovery-request-timeout= discovery-keepalive-time= discovery-keepalive-timeout=
		 discovery-insecure-transport discovery-insecure-skip-tls-verify discovery-cert= discovery-key= discovery-cacert= discovery-user= discovery-password=
		 discovery-fallback= discovery-proxy= discovery-srv= discovery-srv-name=`},
	{"ZooKeeper elects its leader, by tickTime, initLimit and syncLimit of its zoo.cfg",
		`heartbeat-interval= election-timeout= initial-election-tick-advance pre-vote raft-read-timeout= raft-write-timeout=`},
	{"ZooKeeper keeps the log and its snapshots, by dataDir, dataLogDir, snapCount and autopurge of its zoo.cfg",
		`wal-dir= snapshot-count= snapshot-catchup-entries= experimental-snapshot-catchup-entries= max-snapshots= max-wals= unsafe-no-fsync`},
	{"zkine has no database file, its state is in memory",
		`backend-bbolt-freelist-type= backend-batch-interval= backend-batch-limit= memory-mlock bootstrap-defrag-threshold-megabytes=
		 experimental-backend-bbolt-freelist-type= experimental-memory-mlock experimental-bootstrap-defrag-threshold-megabytes= experimental-txn-mode-write-with-shared-buffer`},
	{"zkines compare their states by themselves, at each checkpoint",
		`corrupt-check-time= compact-hash-check-time= experimental-initial-corrupt-check experimental-corrupt-check-time=
		 experimental-compact-hash-check-enabled experimental-compact-hash-check-time=`},
	{"a compaction here stops no requests", `compaction-batch-limit= compaction-sleep-interval= experimental-compaction-batch-limit= experimental-compaction-sleep-interval=`},
	{"zkine has none of etcd's features that these gates open and close", `feature-gates=`},
	{"all versions of zkine on a root agree on its format by themselves", `downgrade-check-time= experimental-downgrade-check-time=`},
	{"slow requests are logged with the time that each step took: see --warning-unary-request-duration",
		`warning-apply-duration= experimental-warning-apply-duration=`},
	{"to serve another cluster than before is --new-cluster", `force-new-cluster`},
	{"leases last through an outage of ZooKeeper by themselves", `experimental-enable-lease-checkpoint experimental-enable-lease-checkpoint-persist`},
	{"zkine does not dial itself over the network", `client-cert-file= client-key-file=`},
	{"there is one logger: see --log-format and --log-level", `logger=`},
	{"the API of etcd's version 2 is gone", `v2-deprecation= enable-v2 experimental-enable-v2v3= proxy=
		 proxy-failure-wait= proxy-refresh-interval= proxy-dial-timeout= proxy-write-timeout= proxy-read-timeout=`},
}

// Flag is the value of a flag without meaning.
type Flag struct {
	// Why says why it has none.
	Why   string
	value string
}

// String implements pflag.Value.
func (f *Flag) String() string { return f.value }

// Set implements pflag.Value. Any value will do.
func (f *Flag) Set(text string) error { f.value = text; return nil }

// Type implements pflag.Value.
func (f *Flag) Type() string { return "ignored" }

// Bind declares the flags, hidden from help and completion.
func Bind(flags *pflag.FlagSet) {
	for _, group := range reasons {
		for name := range strings.FieldsSeq(group.flags) {
			name, takesValue := strings.CutSuffix(name, "=")
			f := flags.VarPF(&Flag{Why: group.why}, name, "", "")
			f.Hidden = true
			if !takesValue {
				f.NoOptDefVal = "true"
			}
		}
	}
}

// Why is why a flag that Bind has declared has no meaning; "" for all others.
func Why(f *pflag.Flag) string {
	if ours, is := f.Value.(*Flag); is {
		return ours.Why
	}
	return ""
}

// Old is the name, if there is one, under which etcd 3.6 and newer have a flag of
// 3.5 that was called experimental; "" for all others.
func Old(flags *pflag.FlagSet, name string) string {
	now, experimental := strings.CutPrefix(name, "experimental-")
	if experimental && flags.Lookup(now) != nil {
		return now
	}
	return ""
}
