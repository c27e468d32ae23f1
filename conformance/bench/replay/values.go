package replay

import (
	"math/rand/v2"
	"strings"
	"sync"
)

// text is what objects of Kubernetes are full of, the same in all of them.
const text = `metadata namespace ownerReferences apps/v1 ReplicaSet controller blockOwnerDeletion managedFields Update ` +
	`fieldsType FieldsV1 {"f:metadata":{"f:labels":{".":{},"f:app":{}},"f:ownerReferences":{}},"f:spec":{"f:containers":` +
	`{"k:{\"name\":\"main\"}":{".":{},"f:env":{},"f:image":{},"f:resources":{}}}},"f:status":{"f:conditions":{}}} `

// letters are those of what differs between objects: UIDs, hashes, times.
const letters = "0123456789abcdef"

// share is how much of a value is text; the rest is letters, in which a compressor finds half a byte each.
const share = 0.8

// values makes values. It is safe for concurrent use.
type values struct {
	text string

	mu  sync.Mutex
	rng *rand.Rand
}

func newValues(seed uint64) *values {
	return &values{text: strings.Repeat(text, 64), rng: rand.New(rand.NewPCG(seed, 0))}
}

// next is a new value of so many bytes.
func (v *values) next(size int) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	value := make([]byte, 0, size+len(v.text))
	for common := int(float64(size) * share); len(value) < common; {
		value = append(value, v.text[:min(len(v.text), common-len(value))]...)
	}
	for len(value) < size {
		value = append(value, letters[v.rng.IntN(len(letters))])
	}
	return value
}
