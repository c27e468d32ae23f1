package identity

import (
	"io/fs"
	"os"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/throttle"
)

// AuthFile is the file with the credentials of sessions.
type AuthFile struct {
	name string
	log  *logrus.Entry

	mu      sync.Mutex
	current []Credential
	reports throttle.Lines
}

// OpenAuthFile reads an auth file; see ReadCredentials. It warns of one that
// others of this host may read.
func OpenAuthFile(name string, log *logrus.Entry) (*AuthFile, error) {
	current, err := ReadCredentials(name)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(name); err == nil && readableByAll(info) {
		log.Warnf("every user of this host may read the credentials in %s; take that away with chmod 600", name)
	}
	return &AuthFile{name: name, log: log, current: current, reports: throttle.Lines{Period: reportPeriod, MaxKeys: maxReports}}, nil
}

func readableByAll(info fs.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }

// Credentials are what the file holds now, or what it held last while it cannot
// be used. They are shared: they must not be changed.
func (f *AuthFile) Credentials() []Credential {
	f.mu.Lock()
	defer f.mu.Unlock()
	read, err := ReadCredentials(f.name)
	if err != nil {
		if left, ok := f.reports.Allow(err.Error()); ok {
			f.log.WithError(err).Error("the credentials towards ZooKeeper cannot be read again; the ones before stay in use" + left)
		}
		return f.current
	}
	f.current = read
	return read
}
