package robustness

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/zkine/zkine/conformance/rig"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "repeat the runs of this seed; 0 draws one")
	roundsFlag  = flag.Int("rounds", 0, "random runs, besides the short ones; with -seed the first has that seed, the next the one after it, and so on")
	faultsFlag  = flag.Int("faults", 5, "faults in a random run")
	zkineFlag   = flag.String("zkine", "", "the zkine to judge, for example one built with -race; by default this checkout's is built")
	reportsFlag = flag.String("reports", "../../.cache/robustness", "folder for the reports of runs that fail")
	busyFlag    = flag.Bool("busy", false, "zkines with a busy log in each run; without it, in half of the random ones")
	keepFlag    = flag.Bool("keep", false, "write a report of every run")
	networkFlag = flag.Bool("network", false, "run in a network of its own, which needs root: for the faults of TestFaults")
	tableFlag   = flag.String("table", "", "file to which TestFaults adds a line of JSON for each fault: what it cost")
	renderFlag  = flag.String("render", "", "a file that -table wrote, for TestTable to print")
	judgeFlag   = flag.String("judge", "", "judge a report again")
)

// judgeTimeout bounds the judges: what is not decided by then counts as failed.
const judgeTimeout = 5 * time.Minute

// matrixJudgeTimeout is that of TestFaults, with its many runs: the witness
// stands in for what porcupine has not decided by then.
const matrixJudgeTimeout = time.Minute

var program string // the zkine to judge

func TestMain(m *testing.M) {
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	os.Exit(run(m))
}

// run builds zkine, unless one was named, and runs the tests: here, or in
// namespaces of their own.
func run(m *testing.M) int {
	if program = *zkineFlag; program == "" {
		var err error
		if program, err = rig.BuildZkine(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if !*networkFlag || inNamespaces() {
		return m.Run()
	}
	code, err := runInNamespaces(fmt.Sprintf("-zkine=%s", program), fmt.Sprintf("-seed=%d", *seedFlag))
	if err != nil {
		fmt.Fprintln(os.Stderr, "-network:", err)
	}
	return code
}

// short are the runs that go with every change to the protocol.
var short = []Scenario{
	{Kind: EtcdLeases, Zkines: 1, ZooKeepers: 1, Busy: true, Faults: []Fault{KillZkine, LoseReplies, BlinkZooKeeper}},
	{Kind: Kubernetes, Zkines: 3, ZooKeepers: 1, Busy: true, Faults: []Fault{FreezeZkine, KillZkine, LateRequest}},
	{Kind: EtcdPut, Zkines: 3, ZooKeepers: 1, Faults: []Fault{KillZooKeeper, FreezeZkine}},
	{Kind: KubernetesCreateDelete, Zkines: 2, ZooKeepers: 1, Faults: []Fault{FreezeZooKeeper, LoseRequests, KillAllZkines}},
}

func TestShort(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute; make robustness runs it")
	}
	for i, s := range short {
		t.Run(fmt.Sprintf("%d-%s", i+1, s.Kind.Name), func(t *testing.T) { play(t, s, *seedFlag) })
	}
}

func TestRandom(t *testing.T) {
	if *roundsFlag == 0 {
		t.Skip("a random run takes half a minute: -rounds says how many are wanted")
	}
	for i := range uint64(*roundsFlag) {
		seed := *seedFlag + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, Random(seed, *faultsFlag), seed) })
	}
}

// play runs a scenario and has it judged.
func play(t *testing.T, s Scenario, seed uint64) {
	start := time.Now()
	s.Busy = s.Busy || *busyFlag
	t.Logf("seed %d: %v", seed, s)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d: again with: go test -run '^%s$' -seed=%d", seed, strings.ReplaceAll(t.Name(), "/", "$/^"), seed)
		}
	})
	lg := quietly(t)
	r := Run(t, lg, program, s, seed)
	if err := appendImpacts(*tableFlag, r.Impacts); err != nil {
		t.Error(err)
	}
	took := time.Since(start)
	patienceOfJudges := judgeTimeout
	if s.Probed {
		patienceOfJudges = matrixJudgeTimeout
	}
	v := Judge(lg, r.Case, patienceOfJudges)
	t.Logf("%v; ran for %v; %d slots in the log, %d of them sent twice, %d requests refused; up to segment %d in a checkpoint",
		&v, took.Round(time.Millisecond), len(r.History.Slots), r.History.Duplicates, r.History.Refused, r.Replay.From)
	if err := v.Error(); err != nil {
		t.Errorf("seed %d: zkine is guilty: %v", seed, err)
	}
	if !t.Failed() && !*keepFlag {
		return
	}
	folder, err := filepath.Abs(filepath.Join(*reportsFlag, fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), seed)))
	if err != nil {
		t.Fatal(err)
	}
	if err := Save(lg, folder, r.Case, &v, r.Logs); err != nil {
		t.Errorf("save the report: %v", err)
	}
	t.Logf("the report is in %s; judge it again with: go test -run Saved -judge=%s", folder, folder)
}

func TestSaved(t *testing.T) {
	if *judgeFlag == "" {
		t.Skip("-judge names no report")
	}
	c, err := Load(*judgeFlag)
	if err != nil {
		t.Fatal(err)
	}
	v := Judge(zaptest.NewLogger(t), c, judgeTimeout)
	t.Log(&v)
	if err := v.Error(); err != nil {
		t.Error(err)
	}
}

// quietly logs what etcd's code has to say at the level of errors: what a judge
// found.
func quietly(t *testing.T) *zap.Logger {
	return zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
}
