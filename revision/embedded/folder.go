package embedded

import (
	"fmt"
	"io/fs"
	"os"
)

// othersMayWrite are the permissions by which someone else changes what is in a folder.
const othersMayWrite = 0o022

// closeFolder sees to it that no other user of the host can read what ZooKeeper keeps, nor put anything in the place of
// what zkine keeps beside it. The data folder itself may be listed: each file that zkine makes there is its own.
// Errors: ErrFolder.
func (c Config) closeFolder() error {
	info, err := os.Stat(c.DataDir)
	if err != nil {
		return folderError(err)
	}
	switch owner := OwnerOf(info); {
	case owner != os.Geteuid() && owner != 0:
		return foreign(c.DataDir, owner)
	case info.Mode().Perm()&othersMayWrite == 0:
	case info.Mode()&fs.ModeSticky != 0:
		return folderError(fmt.Errorf("%s (%v) is for all users of this host; name a folder in it", c.DataDir, info.Mode()))
	case owner != os.Geteuid():
		// A volume of a container is like that.
		c.Logger.Warnf("Other users may write to the data folder %s (%v), and it is not this user's to change: see that none can reach it", c.DataDir, info.Mode())
	default:
		if err := c.tighten(c.DataDir, info.Mode().Perm()&^othersMayWrite); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(c.path("data"), 0o700); err != nil {
		return folderError(err)
	}
	for _, name := range []string{"lock", "client-port", "zoo.cfg", "log4j.properties", "logback.xml", "data"} {
		info, err := os.Stat(c.path(name))
		if err != nil {
			continue // it is to be made, or what makes it will say why not
		}
		if owner := OwnerOf(info); owner != os.Geteuid() {
			return foreign(c.path(name), owner)
		}
		if info.IsDir() && name == "data" && info.Mode().Perm() != 0o700 {
			if err := c.tighten(c.path(name), 0o700); err != nil {
				return err
			}
		}
	}
	return nil
}

// tighten gives a folder other permissions, and looks whether its file system has kept them.
func (c Config) tighten(folder string, perm fs.FileMode) error {
	if err := os.Chmod(folder, perm); err != nil {
		return folderError(err)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return folderError(err)
	}
	if info.Mode().Perm() != perm {
		return folderError(fmt.Errorf("%s stays open to other users of this host: its file system keeps no permissions; name a folder of another file system", folder))
	}
	c.Logger.Infof("Closed %s to other users of this host: its permissions are %v now", folder, perm)
	return nil
}

func foreign(path string, owner int) error {
	return folderError(fmt.Errorf("%s is user %d's, and this is user %d; run zkine as that user, or give the folder and all in it to this one with chown -R", path, owner, os.Geteuid()))
}
