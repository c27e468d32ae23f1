package packed

import "strings"

// packer packs values, and learns dictionaries from what it packs: one for each
// kind of key, which is what "/registry/pods/" is to Kubernetes. One goroutine
// uses it.
//
// A dictionary is a sample of its kind's values, spread evenly over all of them so
// far. A new one is learnt each time that there are four times as many, and then
// from time to time, since what values look like changes. What was packed
// with an older one keeps it alive.
type packer struct {
	pool    *Pool
	kinds   map[string]*kind
	scratch []byte
}

const (
	// maxKinds bounds the kinds; all others are one kind together.
	maxKinds = 64
	// kindDepth is how many slashes end a kind.
	kindDepth = 3
	// maxSample is the most bytes of one value in a dictionary.
	maxSample = 4 << 10
	// firstLesson is after how many values a kind has its first dictionary; the next
	// comes after lessonFactor times as many, or lessonEvery.
	firstLesson, lessonFactor, lessonEvery = 8, 4, 1 << 18
	// minSize is the smallest value that is worth the trouble, in bytes.
	minSize = 64
)

// kind is the values whose keys begin alike.
type kind struct {
	dictionary *dictionary
	// samples are one value of each stride so far.
	samples      [][]byte
	sampled      int // bytes
	stride, seen int
	lesson       int // the number of values at which to learn again
}

// pack is the value packed, in memory of its own; nil, if that would save less
// than an eighth.
func (p *packer) pack(key string, value []byte) *cell {
	k := p.kindOf(key)
	if k.see(value) {
		k.dictionary = newDictionary(p.pool, k.text())
	}
	small := k.dictionary.pack(p.scratch, value)
	if cap(small) <= 4*maxValue {
		p.scratch = small // not after a very large one
	}
	if len(small) > len(value)-len(value)/8 {
		return nil
	}
	return &cell{with: k.dictionary, bytes: append(make([]byte, 0, len(small)), small...)}
}

// kindOf is the kind of a key.
func (p *packer) kindOf(key string) *kind {
	name := kindName(key)
	if k := p.kinds[name]; k != nil {
		return k
	}
	if len(p.kinds) >= maxKinds {
		name = ""
		if k := p.kinds[name]; k != nil {
			return k
		}
	}
	k := &kind{dictionary: &dictionary{pool: p.pool}, stride: 1, lesson: firstLesson}
	p.kinds[strings.Clone(name)] = k
	return k
}

// kindName is the key up to its third slash; "" without three.
func kindName(key string) string {
	end := 0
	for range kindDepth {
		i := strings.IndexByte(key[end:], '/')
		if i < 0 {
			return ""
		}
		end += i + 1
	}
	return key[:end]
}

// see takes a sample of the value, if it is its turn. It says whether it is time
// to learn.
func (k *kind) see(value []byte) bool {
	if k.seen%k.stride == 0 {
		k.sample(value[:min(len(value), maxSample)])
	}
	if k.seen++; k.seen < k.lesson {
		return false
	}
	k.lesson += min((lessonFactor-1)*k.lesson, lessonEvery)
	return true
}

func (k *kind) sample(value []byte) {
	for k.sampled+len(value) > maxContent {
		k.thin()
	}
	k.samples = append(k.samples, append([]byte(nil), value...))
	k.sampled += len(value)
}

// thin keeps every other sample.
func (k *kind) thin() {
	k.stride *= 2
	kept := k.samples[:0]
	k.sampled = 0
	for i, s := range k.samples {
		if i%2 == 1 {
			kept = append(kept, s)
			k.sampled += len(s)
		}
	}
	clear(k.samples[len(kept):])
	k.samples = kept
}

// text is what a dictionary is made of. Once there were very many values, only what
// comes from then on counts for the next one.
func (k *kind) text() []byte {
	text := make([]byte, 0, k.sampled)
	for _, s := range k.samples {
		text = append(text, s...)
	}
	if k.seen >= lessonEvery {
		k.samples, k.sampled, k.stride = nil, 0, max(k.stride/lessonFactor, 1)
	}
	return text
}
