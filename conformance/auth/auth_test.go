package auth

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

var (
	seeds = flag.Int("seeds", 2, "how many seeds to run, each on stores of its own")
	from  = flag.Uint64("seed", 0, "the first seed (default: any)")
	ops   = flag.Int("ops", 600, "requests a seed")
)

func TestAnswersAsEtcd(t *testing.T) {
	seed := *from
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens := []string{"simple", "jwt,sign-method=HS256,priv-key=" + key}
	for i := range uint64(*seeds) {
		kind := tokens[(seed+i)%2]
		t.Run(fmt.Sprintf("%.6s seed %d", kind, seed+i), func(t *testing.T) { compare(t, seed+i, kind) })
	}
}

func compare(t *testing.T, seed uint64, tokens string) {
	etcd, zkine := startEtcd(t, tokens), startZkine(t, tokens)
	g := &generator{rand.New(rand.NewPCG(seed, 0))}
	todo := setup()
	granted := dozen{}
	seen := map[string]int{} // answers, by what they begin with
	for n := 0; n < *ops; n++ {
		if len(todo) == 0 {
			todo = g.next()
		}
		r := todo[0]
		todo = todo[1:]
		if granted.full(r) {
			continue
		}
		want, got := etcd.answer(r), zkine.answer(r)
		t.Logf("%d %v\n\t%s", n, r, want)
		if got != want {
			t.Fatalf("request %d of seed %d: %v\netcd:  %s\nzkine: %s", n, seed, r, want, got)
		}
		granted.note(r, want)
		seen[fmt.Sprintf("%.30s", want)]++
	}
	if len(seen) < 20 {
		t.Errorf("few different answers: %v", seen)
	}
}

// dozen counts the permissions of roles. Beyond twelve, etcd leaves the order of those that begin at the same key to a
// sort that does not keep it, and only the first of them can be changed.
type dozen map[string]int

func (d dozen) full(r request) bool {
	grant, ok := r.Message.(*pb.AuthRoleGrantPermissionRequest)
	return ok && d[grant.Name] >= 12
}

func (d dozen) note(r request, answer string) {
	done := strings.Contains(answer, " = ") // not an error
	switch r := r.Message.(type) {
	case *pb.AuthRoleGrantPermissionRequest:
		if done {
			d[r.Name]++
		}
	case *pb.AuthRoleDeleteRequest:
		if done {
			delete(d, r.Role)
		}
	}
}
