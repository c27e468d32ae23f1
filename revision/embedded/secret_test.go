package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient/identity"
)

const nobody = 65534

// folderConfig is enough of a configuration to prepare a data folder, and what that logs.
func folderConfig(t *testing.T) (Config, *logrustest.Hook) {
	t.Helper()
	log, hook := logrustest.NewNullLogger()
	c := Config{DataDir: filepath.Join(t.TempDir(), "data-dir"), Logger: log}
	require.NoError(t, os.Mkdir(c.DataDir, 0o700))
	return c, hook
}

func said(hook *logrustest.Hook) string {
	var lines []string
	for _, e := range hook.AllEntries() {
		lines = append(lines, e.Level.String()+": "+e.Message)
	}
	return strings.Join(lines, "\n")
}

func TestASecretIsMadeOnceAndKept(t *testing.T) {
	c, hook := folderConfig(t)
	require.NoError(t, c.closeFolder())
	require.NoError(t, os.WriteFile(c.path(secretFile+".new"), []byte("half of one, from a crash"), 0o644))
	secret, err := c.readSecret()
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{64}$", secret)
	require.Empty(t, said(hook))

	info, err := os.Stat(c.path(secretFile))
	require.NoError(t, err)
	require.Equal(t, "-rw-------", info.Mode().String())
	text, err := os.ReadFile(c.path(secretFile))
	require.NoError(t, err)
	require.Equal(t, "digest:zkine:"+secret+"\n", string(text), "it is no auth file")
	credentials, err := identity.ReadCredentials(c.path(secretFile))
	require.NoError(t, err)
	require.Equal(t, []identity.Credential{{Scheme: "digest", Secret: []byte("zkine:" + secret)}}, credentials)
	require.NoFileExists(t, c.path(secretFile+".new"))

	again, err := c.readSecret()
	require.NoError(t, err)
	require.Equal(t, secret, again)
	other, _ := folderConfig(t)
	require.NoError(t, other.closeFolder())
	different, err := other.readSecret()
	require.NoError(t, err)
	require.NotEqual(t, secret, different)
}

func TestASecretThatCannotBeTrustedIsReplaced(t *testing.T) {
	write := func(content string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			require.NoError(t, os.Chmod(path, mode))
		}
	}
	digits := strings.Repeat("0f", secretBytes)
	sound := secretPrefix + digits + "\n"
	for name, c := range map[string]struct {
		harm func(t *testing.T, path string)
		want string // "" for no word: none is missed
	}{
		"missing":             {func(*testing.T, string) {}, ""},
		"empty":               {write("", 0o600), "it is damaged"},
		"truncated":           {write(sound[:len(sound)-9], 0o600), "it is damaged"},
		"too long":            {write(secretPrefix+digits+"00\n", 0o600), "it is damaged"},
		"huge":                {write(strings.Repeat(sound, 1000), 0o600), "it is damaged"},
		"no digits":           {write(secretPrefix+strings.Repeat("xy", secretBytes), 0o600), "it is damaged"},
		"another user's name": {write("digest:someone:"+digits, 0o600), "it is damaged"},
		"for everyone":        {write(sound, 0o644), "other users may have read it"},
		"for the group":       {write(sound, 0o640), "other users may have read it"},
		"written by others":   {write(sound, 0o602), "other users may have read it"},
		"a pipe":              {func(t *testing.T, path string) { require.NoError(t, syscall.Mkfifo(path, 0o600)) }, "it is no file"},
		"a link": {func(t *testing.T, path string) {
			write(sound, 0o600)(t, path+"-elsewhere")
			require.NoError(t, os.Symlink(path+"-elsewhere", path))
		}, "too many levels of symbolic links"},
		"another user's": {func(t *testing.T, path string) {
			write(sound, 0o600)(t, path)
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			require.NoError(t, os.Chown(path, nobody, nobody))
		}, "another user owns it"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, hook := folderConfig(t)
			require.NoError(t, cfg.closeFolder())
			c.harm(t, cfg.path(secretFile))
			secret, err := cfg.readSecret()
			require.NoError(t, err)
			require.Regexp(t, "^[0-9a-f]{64}$", secret)
			require.NotEqual(t, digits, secret)
			if c.want == "" {
				require.Empty(t, said(hook))
			} else {
				require.Regexp(t, `^warning: The secret of the local ZooKeeper in \S+/data/secret cannot be trusted: .*`+c.want+`; a new one takes its place$`, said(hook))
			}
			require.NotContains(t, said(hook), "0f0f", "a secret is in the log")
			kept, err := keptSecret(cfg.path(secretFile))
			require.NoError(t, err)
			require.Equal(t, secret, kept)
		})
	}
}

func TestASecretThatCannotBeWritten(t *testing.T) {
	c, _ := folderConfig(t)
	require.NoError(t, os.MkdirAll(c.path(secretFile+"/below"), 0o700))
	_, err := c.readSecret()
	require.ErrorIs(t, err, ErrFolder)
	require.ErrorContains(t, err, "secret")
}

// TestFolders has folders of each kind, and what becomes of them.
func TestFolders(t *testing.T) {
	give := func(t *testing.T, path string) {
		if os.Geteuid() != 0 {
			t.Skip("only root can give a folder away")
		}
		require.NoError(t, os.Chown(path, nobody, nobody))
	}
	for name, c := range map[string]struct {
		folder, data os.FileMode // of the data folder and data/ in it; 0 for none
		harm         func(t *testing.T, dir string)
		refused      string
		mode, says   string // of the data folder, afterwards
	}{
		"of a new zkine":           {folder: 0o700, mode: "drwx------"},
		"of an earlier zkine":      {folder: 0o700, data: 0o700, mode: "drwx------"},
		"made by hand":             {folder: 0o755, mode: "drwxr-xr-x"},
		"of a group":               {folder: 0o775, data: 0o775, mode: "drwxr-xr-x", says: "(?s)info: Closed .*data-dir to .*-rwxr-xr-x now.*info: Closed .*/data to .*-rwx------ now$"},
		"of everyone":              {folder: 0o777, data: 0o755, mode: "drwxr-xr-x", says: "(?s)info: Closed .*info: Closed .*"},
		"data open":                {folder: 0o700, data: 0o755, mode: "drwx------", says: "^info: Closed .*/data to other users of this host: its permissions are -rwx------ now$"},
		"like /tmp":                {folder: 0o777 | os.ModeSticky, refused: `data-dir \(dtrwxrwxrwx\) is for all users of this host; name a folder in it$`},
		"another user's":           {folder: 0o700, harm: give, refused: `data-dir is user 65534's, and this is user \d+; run zkine as that user, or give`},
		"with another user's data": {folder: 0o755, data: 0o700, harm: func(t *testing.T, dir string) { give(t, dir+"/data") }, refused: `/data is user 65534's`},
		"with another user's zoo.cfg": {folder: 0o755, harm: func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/zoo.cfg", nil, 0o644))
			give(t, dir+"/zoo.cfg")
		}, refused: `/zoo.cfg is user 65534's`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, hook := folderConfig(t)
			require.NoError(t, os.Chmod(cfg.DataDir, c.folder))
			if c.data != 0 {
				require.NoError(t, os.Mkdir(cfg.path("data"), 0o700))
				require.NoError(t, os.Chmod(cfg.path("data"), c.data))
			}
			if c.harm != nil {
				c.harm(t, cfg.DataDir)
			}
			err := cfg.closeFolder()
			if c.refused != "" {
				require.ErrorIs(t, err, ErrFolder)
				require.Regexp(t, c.refused, err.Error())
				return
			}
			require.NoError(t, err)
			require.Regexp(t, c.says, said(hook))
			if c.says == "" {
				require.Empty(t, said(hook))
			}
			info, err := os.Stat(cfg.DataDir)
			require.NoError(t, err)
			require.Equal(t, c.mode, info.Mode().String())
			info, err = os.Stat(cfg.path("data"))
			require.NoError(t, err)
			require.Equal(t, "drwx------", info.Mode().String())
		})
	}
}
