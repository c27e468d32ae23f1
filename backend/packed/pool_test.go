package packed

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newRand is a source whose seed is printed if the test fails.
func newRand(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// like is a value that is like others of its kind, and has something of its own.
func like(r *rand.Rand, kind string, size int) []byte {
	b := []byte(strings.Repeat("what all of kind "+kind+" have in common; ", size/80+1))
	for range size / 200 {
		b = fmt.Appendf(b, `{"uid":"%x","name":%q}`, r.Uint64(), "a field")
	}
	return b[:min(len(b), size)]
}

// random is bytes that nothing makes smaller.
func random(r *rand.Rand, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func kindKey(i int) string { return fmt.Sprintf("/registry/kind-%d/%d", i%5, i) }

// TestValuesStayTheSame packs values of all sizes, of several kinds and of none, in
// any order, and reads them in between.
func TestValuesStayTheSame(t *testing.T) {
	r := newRand(t)
	p := NewPool(20_000)
	type kept struct {
		key   string
		value Value
		want  []byte
	}
	var all []*kept
	sizes := []int{0, 1, minSize - 1, minSize, 500, 3000, maxSample + 1, maxValue - 1, maxValue, maxValue + 1, 300_000}
	for i := range 3000 {
		size := sizes[r.IntN(5)]
		if r.IntN(30) == 0 {
			size = sizes[r.IntN(len(sizes))]
		}
		k := &kept{key: kindKey(i)}
		if k.want = like(r, kindName(k.key), size); r.IntN(8) == 0 {
			k.want = random(r, size)
		}
		k.value.Put(bytes.Clone(k.want))
		p.Add(&k.value)
		all = append(all, k)
		for range 4 {
			k := all[r.IntN(len(all))]
			switch r.IntN(3) {
			case 0:
				p.Cool(k.key, &k.value)
			case 1:
				require.True(t, bytes.Equal(k.want, k.value.Bytes()), k.key)
			default:
				require.True(t, bytes.Equal(k.want, k.value.Read()), k.key)
			}
			require.Equal(t, len(k.want), k.value.Len())
		}
	}
	warm := int64(0)
	for _, k := range all {
		if c := k.value.cell.Load(); c.with == nil {
			warm += int64(len(k.want))
		}
	}
	require.Equal(t, warm, p.warm.Load(), "what is warm was counted")
	for _, k := range all {
		p.Drop(&k.value)
		require.True(t, bytes.Equal(k.want, k.value.Bytes()), "dropped values are read by those who have them")
	}
	require.Zero(t, p.warm.Load())
}

// TestReadersWhilePacking has readers look at values, and keep what they got,
// while the pool packs them and the collector runs.
func TestReadersWhilePacking(t *testing.T) {
	r := newRand(t)
	p := NewPool(50_000)
	values := make([]Value, 200)
	var want [][]byte
	for i := range values {
		want = append(want, like(r, "x", 200+r.IntN(2000)))
		values[i].Put(bytes.Clone(want[i]))
		p.Add(&values[i])
	}
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		seed := r.Uint64()
		readers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			held := make([][]byte, len(values))
			for {
				select {
				case <-done:
					return
				default:
				}
				i := r.IntN(len(values))
				if held[i] != nil && !bytes.Equal(held[i], want[i]) {
					t.Errorf("value %d changed in a reader's hands", i)
					return
				}
				if held[i] = values[i].Read(); !bytes.Equal(held[i], want[i]) {
					t.Errorf("value %d is not what was put", i)
					return
				}
			}
		})
	}
	for round := range 50 {
		for i := range values {
			p.Cool("/a/b/c", &values[i])
		}
		if round%20 == 0 {
			runtime.GC()
		}
	}
	close(done)
	readers.Wait()
	require.LessOrEqual(t, p.warm.Load(), p.room+p.room/2)
}

// TestWhatIsReadAgainIsWarm reads some of the packed values twice.
func TestWhatIsReadAgainIsWarm(t *testing.T) {
	r := newRand(t)
	p := NewPool(10_000)
	values := make([]Value, 100)
	for i := range values {
		values[i].Put(like(r, "x", 1000))
		p.Add(&values[i])
		p.Cool("k", &values[i])
	}
	require.Zero(t, p.warm.Load())
	for i := range values {
		values[i].Read()
	}
	require.Zero(t, p.warm.Load(), "a single look at all of them leaves them packed")
	for i := range values {
		values[i].Read()
	}
	require.LessOrEqual(t, p.warm.Load(), int64(15_000))
	require.Greater(t, p.warm.Load(), int64(14_000), "as many as there is room for")
	for i := range values {
		require.False(t, p.Cool("k", &values[i]), "read since")
	}
	for i := range values {
		p.Cool("k", &values[i])
	}
	require.Zero(t, p.warm.Load())
}

// TestPackedIsSmall: values that are like others of their kind take a fraction.
func TestPackedIsSmall(t *testing.T) {
	r := newRand(t)
	p := NewPool(0)
	raw, small := 0, 0
	for i := range 2000 {
		var v Value
		v.Put(like(r, kindName(kindKey(i)), 2000))
		p.Add(&v)
		p.Cool(kindKey(i), &v)
		if i >= 1000 {
			raw, small = raw+v.Len(), small+len(v.cell.Load().bytes)
		}
	}
	require.Less(t, small, raw/3)
}

// TestKindsAreBounded: keys that begin in very many ways cost no dictionary each.
func TestKindsAreBounded(t *testing.T) {
	r := newRand(t)
	p := NewPool(0)
	for i := range 10 * maxKinds {
		var v Value
		v.Put(like(r, "x", 300))
		p.Cool(fmt.Sprintf("/%d/b/c", i), &v)
	}
	require.LessOrEqual(t, len(p.packer.kinds), maxKinds+1)
}

// FuzzPack packs any value against any text, and unpacks it.
func FuzzPack(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	f.Add(like(r, "x", 2000), like(r, "x", 900))
	f.Add(random(r, 20), random(r, 70_000))
	f.Add([]byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, text, value []byte) {
		d := newDictionary(nil, text[:min(len(text), maxContent)])
		packed := d.pack(nil, value)
		if again := d.unpack(packed); !bytes.Equal(again, value) {
			t.Fatalf("%x becomes %x", value, again)
		}
		if len(packed) > 0 && len(value) > 0 {
			if _, err := d.decode(packed[:len(packed)-1]); err == nil {
				t.Fatal("what is cut short is taken")
			}
		}
	})
}

// TestDroppedStayAsTheyAre: what is read after it was dropped counts no more.
func TestDroppedStayAsTheyAre(t *testing.T) {
	r := newRand(t)
	p := NewPool(1 << 20)
	for _, cool := range []bool{false, true} {
		var v Value
		want := like(r, "x", 2000)
		v.Put(bytes.Clone(want))
		p.Add(&v)
		if cool {
			require.True(t, p.Cool("k", &v))
		}
		p.Drop(&v)
		for range 3 {
			require.True(t, bytes.Equal(want, v.Read()))
		}
		require.False(t, p.Cool("k", &v))
		p.Drop(&v)
		require.Zero(t, p.warm.Load())
	}
}
