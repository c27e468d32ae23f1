package house

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// imports says what of zkine each package of the product may import, tests aside. A line with a package that does not
// exist is for one that is to come.
//
// Dependencies point one way: cmd → server → backend → revision → the client of ZooKeeper. Below that, in each layer:
// what is general imports nothing of what is special, and a package that can do without another one does.
var imports = map[string][]string{
	// The command line puts everything together.
	"cmd/zkine": {
		"cmd/zkine/progress", "cmd/zkine/top", "cmd/zkine/clienturl", "cmd/zkine/doctor", "cmd/zkine/inspect", "cmd/zkine/logprint",
		"cmd/zkine/configfile", "cmd/zkine/etcdflags", "cmd/zkine/logoutput", "cmd/zkine/systemd",
		"server", "server/families", "server/listener", "server/observe", "server/tracing", "server/usage", "server/v3rpc",
		"backend", "backend/lessor", "backend/token", "backend/watch", "backend/housekeep", "backend/etcddb", "backend/recovery", "backend/undelete", "backend/observepb", "backend/state", "backend/etcdapi", "backend/mirror", "backend/transfer",
		"revision", "revision/zkseed", "revision/archive", "revision/archive/objectstore", "revision/zklog", "revision/zkroot", "revision/zkclient", "revision/zkclient/fourletter", "revision/zkclient/identity", "revision/zkclient/measured", "revision/zkacl", "revision/embedded", "revision/bytesize", "revision/durable", "revision/throttle",
	},

	"cmd/zkine/clienturl": {},
	"cmd/zkine/doctor": {
		"cmd/zkine/clienturl", "revision", "revision/bytesize", "revision/embedded", "revision/zkacl", "revision/zkclient", "revision/zkclient/fourletter", "revision/zkmember", "revision/zkroot", "revision/zksurvey",
	},
	"cmd/zkine/logprint": {"server/console/kube", "backend/recovery", "revision/recordpb"},
	"cmd/zkine/inspect": {
		"cmd/zkine/clienturl", "server/usage", "backend/recovery", "revision", "revision/recordpb", "revision/zkclient", "revision/zkmember", "revision/zkroot", "revision/zksurvey",
	},
	"cmd/zkine/top":        {"backend/observepb", "revision/bytesize", "server/observe", "server/usage"},
	"cmd/zkine/progress":   {"revision/bytesize"},
	"cmd/zkine/configfile": {},
	"cmd/zkine/etcdflags":  {},
	"cmd/zkine/logoutput":  {},
	"cmd/zkine/systemd":    {"revision/throttle"},
	// For tests: systemd's end.
	"cmd/zkine/systemd/systemdtest": {},

	// The facade. Of what is below it knows the backend, and the vocabulary of revision.
	"server": {"server/calllog", "server/console", "server/families", "server/gateway", "server/listener", "server/observe", "server/tracing", "server/usage", "server/v3rpc", "server/wire", "backend", "revision/throttle"},
	"server/v3rpc": {
		"backend", "backend/watch", "backend/housekeep", "backend/etcddb", "backend/state", "backend/token", "revision",
	},
	"server/calllog":      {"server/v3rpc", "server/wire", "backend", "revision/throttle"},
	"server/tracing":      {"revision/throttle"},
	"server/listener":     {"revision/throttle"},
	"server/gateway":      {},
	"server/console":      {"server/console/kube", "server/observe", "backend/observepb"},
	"server/console/kube": {},
	"server/usage":        {},
	"server/observe":      {"backend/observepb", "server/usage", "server/v3rpc"},
	"server/wire":         {},
	"server/families":     {},
	// For tests: a backend that answers as it is told.
	"server/servertest": {"backend", "backend/watch", "backend/etcddb", "revision"},

	// The loops around the state. They know the log by interfaces and the vocabulary.
	"backend": {
		"backend/state", "backend/token", "backend/watch", "backend/lessor", "backend/pace", "backend/housekeep", "backend/etcddb", "backend/readlease", "backend/metrics", "backend/observepb",
		"revision", "revision/recordpb", "revision/throttle",
	},
	"backend/observepb": {},
	"backend/pace":      {"revision"},
	"backend/metrics":   {"backend/state", "backend/watch", "revision", "revision/recordpb"},
	"backend/readlease": {"revision"},
	"backend/watch":     {"backend/state", "revision"},
	"backend/lessor":    {"backend/state", "revision", "revision/recordpb"},
	"backend/housekeep": {"backend/state", "revision", "revision/recordpb", "revision/throttle"},
	"backend/recovery":  {"backend/state", "revision", "revision/recordpb"},
	"backend/undelete":  {},
	"backend/etcddb":    {"backend/state", "revision", "revision/recordpb", "revision/durable"},
	// Other stores, and a root that is kept equal to one.
	"backend/etcdapi":  {},
	"backend/mirror":   {"backend/etcdapi", "backend/state", "revision", "revision/recordpb"},
	"backend/transfer": {"backend/state", "backend/etcdapi", "revision", "revision/recordpb", "revision/zkseed"},
	// Pure: of everything below only the words and the records.
	"backend/state":      {"backend/packed", "revision", "revision/recordpb"},
	"backend/packed":     {},
	"backend/token":      {},
	"backend/simulation": {},
	// For tests: a log in memory, which has zklog's defaults.
	"backend/memlog": {"revision", "revision/recordpb", "revision/zklog"},

	// The words, which everything may know, and so know nothing.
	"revision": {"revision/recordpb"},
	// The log on ZooKeeper: the root's form below, the client beside it, the log on both.
	"revision/zkclient/fourletter": {},
	"revision/zkclient/transport":  {},
	"revision/zkclient/identity":   {"revision/throttle"},
	"revision/zkclient/jute":       {},
	"revision/zkclient/measured":   {},
	"revision/zkclient":            {"revision", "revision/zkclient/fourletter", "revision/zkclient/identity", "revision/zkclient/transport", "revision/zkclient/jute", "revision/zkclient/measured", "revision/throttle"},
	"revision/zkacl":               {"revision", "revision/zkclient", "revision/zkroot"},
	"revision/zkroot":              {"revision", "revision/recordpb", "revision/zkclient", "revision/throttle"},
	"revision/zksurvey":            {"revision/zkroot"},
	"revision/zkmember":            {"revision", "revision/zkclient", "revision/zkroot", "revision/throttle"},
	"revision/zklog":               {"revision", "revision/recordpb", "revision/zkclient", "revision/zkclient/measured", "revision/zkroot", "revision/zkmember", "revision/throttle"},
	"revision/zkseed":              {"revision", "revision/recordpb", "revision/zkclient", "revision/zkroot"},
	// What is kept of the log outside of ZooKeeper, and where.
	"revision/archive":             {"revision", "revision/recordpb", "revision/zkclient", "revision/zkroot", "revision/throttle"},
	"revision/archive/objectstore": {"revision/archive", "revision/durable"},
	// The records, and what generates them.
	"revision/recordpb":     {},
	"revision/recordpb/gen": {},
	// A ZooKeeper as a child process.
	"revision/embedded": {"revision/zkclient/fourletter", "revision/zkclient/identity", "revision/bytesize", "revision/durable", "revision/throttle"},
	// For tests: an ensemble in memory behind the client's interface, and real ones.
	"revision/memzk":        {"revision", "revision/zkclient"},
	"revision/zktest":       {"revision/embedded", "revision/zkclient/fourletter", "revision/zktest/certs"},
	"revision/zktest/certs": {},
	// What keeps a log from repeating itself, for all layers that log.
	"revision/throttle": {},
	// Numbers of bytes for people.
	"revision/bytesize": {},
	// What replaces files so that a crash leaves one of both.
	"revision/durable": {},
}

// TestImports holds the packages against the table.
func TestImports(t *testing.T) {
	for _, s := range allSources(t) {
		if s.isTest() || within(s.path, "conformance") {
			continue
		}
		allowed, known := imports[s.dir()]
		if !known {
			t.Errorf("%s: package %s is not in the table of imports in conformance/house/imports_test.go: add what it may import", s.path, s.dir())
			continue
		}
		for _, i := range s.syntax.Imports {
			full, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours, is := strings.CutPrefix(full, module+"/")
			if is && !slices.Contains(allowed, ours) {
				t.Errorf("%s: %s may not import %s, but %q: dependencies point one way (conformance/house/imports_test.go)", s.path, s.dir(), ours, allowed)
			}
		}
	}
}

// TestImportsPointOneWay has no circle in the table itself, which the compiler would only find once it is used.
func TestImportsPointOneWay(t *testing.T) {
	var visit func(at string, trail []string)
	visit = func(at string, trail []string) {
		if slices.Contains(trail, at) {
			t.Fatalf("the table of imports has a circle: %s", strings.Join(append(trail, at), " → "))
		}
		for _, next := range imports[at] {
			if _, known := imports[next]; !known {
				t.Errorf("the table of imports lets %s import %s, which has no line", at, next)
			}
			visit(next, append(slices.Clone(trail), at))
		}
	}
	for _, at := range keys(imports) {
		visit(at, nil)
	}
}

// TestImportsOfConformance has the suites know of zkine only what they name here: they look from outside.
func TestImportsOfConformance(t *testing.T) {
	allowed := map[string][]string{
		// For ports and ZooKeepers, and to ask these.
		"": {"revision/embedded", "revision/zktest", "revision/zktest/certs", "revision/zkclient/fourletter"},
		// It reads what the log says to judge by it.
		"conformance/robustness": {"backend/state", "revision", "revision/recordpb", "revision/zklog", "revision/zkroot", "revision/zkclient"},
		// It puts a zkine together inside the tests of Kubernetes.
		"conformance/kubernetes/testserver": {"server", "server/listener", "backend", "revision", "revision/zklog", "revision/zkclient"},
		// It writes the console's table of types, and proves it.
		"conformance/kubernetes/kubetypes": {"server/console/kube"},
		// It warms a ZooKeeper up.
		"conformance/kubernetes/run": {"backend", "revision", "revision/zklog", "revision/zkclient"},
	}
	for _, s := range allSources(t) {
		if !within(s.path, "conformance") {
			continue
		}
		for _, i := range s.syntax.Imports {
			ours, is := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"/")
			if !is || within(ours, "conformance") {
				continue
			}
			if !slices.Contains(allowed[""], ours) && !slices.Contains(allowed[s.dir()], ours) {
				t.Errorf("%s: %s looks at zkine from outside and does not import %s (conformance/house/imports_test.go)", s.path, path.Base(s.dir()), ours)
			}
		}
	}
}

func keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
