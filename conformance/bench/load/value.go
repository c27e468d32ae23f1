package load

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"time"
)

// origin is what stamps are counted from.
var origin = time.Now()

// values makes what one client puts: a stamp of the time, then half random bytes, then text of the kind that objects
// of Kubernetes are full of, so that a compressor gains about as much as on these.
type values struct {
	random []byte // shared by all
	rng    *rand.Rand
	value  []byte
}

const pool = 1 << 20 // of random bytes

// newPool makes the random bytes.
func newPool(seed uint64) []byte {
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	random := make([]byte, pool)
	_, _ = source.Read(random) // never fails
	return random
}

func newValues(random []byte, seed uint64, client, size int) *values {
	v := &values{random: random, rng: rand.New(rand.NewPCG(seed, uint64(client))), value: make([]byte, max(size, 2*stamp))}
	copy(v.value[len(v.value)/2:], strings.Repeat(text, len(v.value)/len(text)+1))
	return v
}

const text = `{"f:metadata":{"f:annotations":{".":{},"f:deployment.kubernetes.io/revision":{}},"f:ownerReferences":{}},` +
	`"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{".":{},"f:image":{},"f:resources":{".":{},"f:limits":{}}}}}}`

// next is a new value, good until the next call.
func (v *values) next() []byte {
	half := v.value[stamp : len(v.value)/2]
	copy(half, v.random[v.rng.IntN(pool-len(half)):])
	binary.BigEndian.PutUint64(v.value, uint64(time.Since(origin)))
	return v.value
}

// since is how long ago a value with the stamp was made.
func since(stamp uint64) time.Duration { return time.Since(origin) - time.Duration(stamp) }
