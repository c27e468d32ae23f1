package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/crypto/bcrypt"

	"github.com/zkine/zkine/backend/transfer"
)

// liveFlags say how a live store is moved in.
type liveFlags struct {
	client        clientFlags
	follow        bool
	untilLag      time.Duration
	passwordsFile string
	withoutUsers  bool
}

func (l *liveFlags) bind(f *pflag.FlagSet) {
	l.client.bind(f, "a live etcd or kine to move in")
	f.BoolVar(&l.follow, "follow", false, "go on with what the source changes until the command is stopped by SIGINT or SIGTERM; run it again to go on later")
	f.DurationVar(&l.untilLag, "until-lag", 0, "with --follow, stop once the root is no further behind than this; 0 for not")
	f.StringVar(&l.passwordsFile, "passwords-file", "", "`file` with the passwords of the source's users, user:password a line: the API does not tell them")
	f.BoolVar(&l.withoutUsers, "without-users", false, "leave users and roles out; everyone who reaches zkine may do everything then")
}

func (l *liveFlags) check(v *checker) {
	l.client.check(v)
	switch {
	case len(l.client.endpoints) == 0 && l.passwordsFile != "":
		v.refuse("passwords-file", "a snapshot holds all users with their passwords", "leave it out")
	case len(l.client.endpoints) == 0 && l.withoutUsers:
		v.refuse("without-users", "it is for a live store: a snapshot brings its users", "leave it out")
	case l.untilLag != 0 && !l.follow:
		v.refuse("until-lag", "it goes with --follow", "add that, or leave it out")
	case l.untilLag != 0:
		v.duration("until-lag", l.untilLag, time.Millisecond, 24*time.Hour)
	case l.passwordsFile != "" && l.withoutUsers:
		v.refuse("passwords-file", "it contradicts --without-users", "leave one of them out")
	}
}

// maxPasswordsBytes bounds what is read of a file with passwords.
const maxPasswordsBytes = 4 << 20

// passwords reads and hashes those of the file, if there is one.
func (l *liveFlags) passwords() (map[string][]byte, error) {
	if l.passwordsFile == "" {
		return nil, nil
	}
	refuse := func(err error) error {
		return &problem{thing: l.passwordsFile, what: oneLine(err.Error()), remedy: "write one user:password a line"}
	}
	info, err := os.Stat(l.passwordsFile)
	if err != nil {
		return nil, refuse(err)
	}
	if info.Size() > maxPasswordsBytes {
		return nil, refuse(fmt.Errorf("it has %d bytes", info.Size()))
	}
	text, err := os.ReadFile(l.passwordsFile)
	if err != nil {
		return nil, refuse(err)
	}
	all, err := transfer.ReadPasswords(text, func(password []byte) ([]byte, error) {
		return bcrypt.GenerateFromPassword(password, bcrypt.DefaultCost)
	})
	if err != nil {
		return nil, refuse(err)
	}
	return all, nil
}
