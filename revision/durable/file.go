// Package durable replaces files in one step: after a crash a file has its old
// content or the new one, all of it.
//
// It imports nothing but the standard library. cmd/zkine and embedded import it.
package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// Replace writes data to f, a new file in path's folder, and has it take path's
// place. When Replace has returned nil, that outlasts a crash. It closes f, and
// removes it if that fails. Errors: those of os.
func Replace(f *os.File, path string, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) // it may not be there
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder has what was done to the names in a folder outlast a crash. Windows has no way to ask for that; NTFS journals
// names by itself.
func SyncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
