package embedded

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// plainFile is nothing here.
const plainFile = 0

// supported refuses Windows: a child inherits no lock of a file there and outlives its parent, and permission bits close
// no file to other users.
func supported() error { return ErrSystem }

func tryLock(*os.File) (held bool, err error) { return false, errors.ErrUnsupported }

func alive(int) bool { return false }

// OwnerOf is -1: there are no user ids here.
func OwnerOf(fs.FileInfo) int { return -1 }

func childAttr() *syscall.SysProcAttr { return nil }

func onOneProcessor(_ uint, start func() error) error { return start() }
