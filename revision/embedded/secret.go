package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/durable"
	"github.com/zkine/zkine/revision/zkclient/identity"
)

// The users of a closed server, known to it by one secret. What the owner makes belongs to it alone. The superuser
// passes every ACL: it mends those of another secret, or of none.
const (
	ownerName = "zkine"
	superName = "super"
)

const (
	// secretFile is below DataDir, in a folder that is closed to others in any case. It has the form of an auth file,
	// so that the data can be served, with its owner, by another ZooKeeper.
	secretFile   = "data/secret"
	secretPrefix = "digest:" + ownerName + ":"
	secretBytes  = 32 // random ones, written as hexadecimal digits
)

// Credential shows a closed server that one is its owner, who is the only one to be let in. Open servers know none.
func (s *Server) Credential() identity.Credential { return s.cfg.credential(ownerName) }

// Superuser is Credential for one who passes every ACL. What it creates needs an ACL that is spelled out, such as
// Owner: the server cannot expand one of scheme auth for it.
func (s *Server) Superuser() identity.Credential { return s.cfg.credential(superName) }

// Owner is an ACL's entry with all permissions for who shows Credential.
func (s *Server) Owner() zk.ACL { return s.cfg.digest(ownerName) }

func (c Config) credential(user string) identity.Credential {
	return identity.Credential{Scheme: "digest", Secret: []byte(user + ":" + c.secret)}
}

func (c Config) digest(user string) zk.ACL { return zk.DigestACL(zk.PermAll, user, c.secret)[0] }

// readSecret returns the secret of a data folder. One that is missing, damaged or may be known to others is replaced:
// who has the folder has all of its data anyway, and the ACLs are moved to the new one. Errors: ErrFolder.
func (c Config) readSecret() (string, error) {
	path := c.path(secretFile)
	secret, err := keptSecret(path)
	if err == nil {
		return secret, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		c.Logger.Warnf("The secret of the local ZooKeeper in %s cannot be trusted: %v; a new one takes its place", path, err)
	}
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // it never fails
	secret = hex.EncodeToString(raw)
	if err := replaceFile(path, secretPrefix+secret+"\n"); err != nil {
		return "", folderError(fmt.Errorf("write the secret of the local ZooKeeper: %w", err))
	}
	return secret, nil
}

// keptSecret reads a file of secrets; an error says why it is of no use, and not what it holds.
func keptSecret(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|plainFile, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	switch {
	case !info.Mode().IsRegular():
		return "", errors.New("it is no file")
	case OwnerOf(info) != os.Geteuid():
		return "", errors.New("another user owns it")
	case info.Mode().Perm()&0o077 != 0:
		return "", errors.New("other users may have read it")
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return "", err
	}
	digits, found := strings.CutPrefix(strings.TrimSuffix(string(text), "\n"), secretPrefix)
	if raw, err := hex.DecodeString(digits); !found || err != nil || len(raw) != secretBytes {
		return "", errors.New("it is damaged")
	}
	return digits, nil
}

// replaceFile writes a file for this user alone. After a crash it has the old content or the new, all of it; when
// replaceFile has returned, the new. The caller has the lock of the data folder.
func replaceFile(path, content string) error {
	part := path + ".new"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := durable.Replace(f, path, []byte(content)); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(filepath.Dir(path))) // the folder may be new, too
}

// Other is a closed server that another process runs.
type Other struct{ cfg Config }

// Running finds the server that another process runs in a data folder, for those who may read the secret there. It
// does not ask whether it serves. Errors: those of reading, without what was read.
func Running(dataDir string) (*Other, error) {
	o := &Other{Config{DataDir: dataDir, Host: loopback}}
	var err error
	if o.cfg.secret, err = keptSecret(o.cfg.path(secretFile)); err != nil {
		return nil, fmt.Errorf("embedded: the secret of the local ZooKeeper in %s: %w", dataDir, err)
	}
	port, err := notedPort(o.cfg.path(portFile))
	if err != nil {
		return nil, fmt.Errorf("embedded: the port of the local ZooKeeper in %s: %w", dataDir, err)
	}
	o.cfg.ClientPort = port
	return o, nil
}

// Addr is its address, host:port.
func (o *Other) Addr() string { return address(o.cfg.Host, o.cfg.ClientPort) }

// Credential and Owner are as those of Server.
func (o *Other) Credential() identity.Credential { return o.cfg.credential(ownerName) }

// Owner is an ACL's entry with all permissions for who shows Credential.
func (o *Other) Owner() zk.ACL { return o.cfg.digest(ownerName) }
