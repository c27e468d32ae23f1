package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTwoThatShareAMemory write it at the same time, as two containers do that
// share a folder, where each zkine has the PID 1: it is always what one of them
// wrote, and nothing else is left in the folder.
func TestTwoThatShareAMemory(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "served-zkine.json")
	texts := []string{strings.Repeat("long ", 100), "short"}
	require.NoError(t, writeAtomically(path, []byte(texts[0])))
	var both sync.WaitGroup
	for _, text := range texts {
		both.Go(func() {
			for range 100 {
				assert.NoError(t, writeAtomically(path, []byte(text)))
				got, err := os.ReadFile(path)
				assert.NoError(t, err)
				assert.Contains(t, texts, string(got))
			}
		})
	}
	both.Wait()
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, files, 1)
}
