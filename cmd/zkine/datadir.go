package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/zkine/zkine/revision/embedded"
)

const otherFolder = "or choose another --data-dir"

// folderProblem says why a data folder cannot be used, and what to do.
func folderProblem(dir string, err error) *problem {
	p := about("local ZooKeeper", err)
	switch {
	case errors.Is(err, os.ErrPermission):
		p.remedy = fmt.Sprintf("let %s, who runs zkine, write to %s, %s", userName(os.Geteuid()), owned(dir), otherFolder)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		p.remedy = roomIn(dir)
	case errors.Is(err, syscall.EROFS):
		p.remedy = "mount its file system for writing, " + otherFolder
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, os.ErrExist), errors.Is(err, syscall.EISDIR):
		p.remedy = "something that is no folder has its name: remove that, " + otherFolder
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ELOOP):
		p.remedy = "that cannot be a folder's path: choose another --data-dir"
	default:
		p.remedy = "choose another --data-dir"
	}
	return p
}

func roomIn(dir string) string { return "make room in the file system of " + dir + ", " + otherFolder }

// exitRemedy is what to do before one reads the log of a ZooKeeper that has
// exited with text; "" if that does not tell.
func exitRemedy(text, dir string) string {
	switch {
	case strings.Contains(text, "No space left on device"), strings.Contains(text, "Disk quota exceeded"):
		return roomIn(dir) + "; "
	case strings.Contains(text, "java.lang.OutOfMemoryError"):
		return "raise --local-zookeeper-heap; "
	case strings.Contains(text, "Permission denied"), strings.Contains(text, "AccessDeniedException"):
		return fmt.Sprintf("let %s, who runs zkine, write to everything in %s; ", userName(os.Geteuid()), dir)
	}
	return ""
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return "user " + u.Username
	}
	return "user " + strconv.Itoa(uid)
}

// owned names a folder, or the nearest one above it that exists, and its owner.
func owned(dir string) string {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	for {
		info, err := os.Stat(dir)
		if err == nil {
			if owner := embedded.OwnerOf(info); owner >= 0 {
				return fmt.Sprintf("%s (%v, owned by %s)", dir, info.Mode(), userName(owner))
			}
			return dir
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return dir
	}
}
