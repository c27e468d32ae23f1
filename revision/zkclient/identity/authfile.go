package identity

import (
	"io/fs"
	"os"

	"github.com/sirupsen/logrus"
)

// AuthFile is the file with the credentials of sessions.
type AuthFile struct{ held *kept[[]Credential] }

// OpenAuthFile reads an auth file; see ReadCredentials. It warns of one that
// others of this host may read.
func OpenAuthFile(name string, log *logrus.Entry) (*AuthFile, error) {
	held, err := keep(func() ([]Credential, error) { return ReadCredentials(name) },
		"the credentials towards ZooKeeper cannot be read again; the ones before stay in use", log)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(name); err == nil && readableByAll(info) {
		log.Warnf("every user of this host may read the credentials in %s; take that away with chmod 600", name)
	}
	return &AuthFile{held}, nil
}

func readableByAll(info fs.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }

// Credentials are what the file holds now, or what it held last while it cannot
// be used. They are shared: they must not be changed.
func (f *AuthFile) Credentials() []Credential { return f.held.now() }
