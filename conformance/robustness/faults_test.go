package robustness

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestFaults plays each fault of the matrix on three zkines and three
// ZooKeepers, in a network of their own, with probes and tenants.
func TestFaults(t *testing.T) {
	if !inNamespaces() {
		t.Skip("the faults of links, disks and memory need namespaces: -network, as root")
	}
	kinds := []Kind{EtcdPut, EtcdLeases, Kubernetes}
	r := rand.New(rand.NewPCG(*seedFlag, 3))
	for _, f := range Matrix {
		kind := kinds[r.IntN(len(kinds))]
		t.Run(f.Name, func(t *testing.T) {
			if f.clock {
				useStepped(t)
			}
			play(t, Scenario{Kind: kind, Zkines: 3, ZooKeepers: 3, Probed: true, Defaults: f.defaults, Faults: []Fault{Calm, f, f}}, *seedFlag)
		})
	}
}

// useStepped has a test run zkines whose clock can be stepped.
func useStepped(t *testing.T) {
	before := program
	stepped, err := buildStepped(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program = stepped
	t.Cleanup(func() { program = before })
}

func TestTable(t *testing.T) {
	if *renderFlag == "" {
		t.Skip("-render names no table")
	}
	impacts, err := ReadImpacts(*renderFlag)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Print(Table(impacts))
}
