package zkroot

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// What does not compress is found out once in a while, and what does always.
func TestCompressor(t *testing.T) {
	text, noise := bytes.Repeat([]byte("kind: Pod\n"), 1000), make([]byte, 10_000)
	rand.Read(noise)
	var c Compressor
	compresses := func(payload []byte) bool {
		packed, smaller := c.compress(payload)
		if !smaller {
			return false
		}
		raw, err := unpack(packed, len(payload), nil)
		require.NoError(t, err)
		require.Equal(t, payload, raw)
		return true
	}
	for range 3 {
		require.True(t, compresses(text))
	}
	require.False(t, compresses(noise))
	for range compressRest {
		require.False(t, compresses(text), "at rest")
	}
	for range 3 {
		require.True(t, compresses(text))
	}
	require.False(t, compresses(text[:compressFrom-1]), "too small to be worth it")
	require.True(t, compresses(text))
}

// What is large is compressed without looking far back, and so without much memory; and its frame says its size.
func TestWindowIsSmall(t *testing.T) {
	noise := make([]byte, zstdWindow/2)
	rand.Read(noise)
	raw := bytes.Repeat(noise, 8)
	for name, packed := range map[string][]byte{"blob": Compress(raw), "payload": zstdEncoder.EncodeAll(raw, nil)} {
		var head zstd.Header
		require.NoError(t, head.Decode(packed), name)
		require.LessOrEqual(t, head.WindowSize, uint64(zstdWindow), name)
		again, err := Decompress(packed, len(raw))
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(raw, again), name)
	}
}
