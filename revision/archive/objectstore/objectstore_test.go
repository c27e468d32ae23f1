package objectstore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/archive/objectstore"
)

func names(t *testing.T, s archive.Store, prefix string) (names []string) {
	t.Helper()
	for object, err := range s.List(t.Context(), prefix) {
		require.NoError(t, err)
		data, err := s.Get(t.Context(), object.Name, 1<<20)
		require.NoError(t, err)
		require.EqualValues(t, len(data), object.Size)
		names = append(names, object.Name)
	}
	sort.Strings(names)
	return names
}

// contract is what every store does.
func contract(t *testing.T, s archive.Store) {
	t.Helper()
	ctx := t.Context()
	require.Empty(t, names(t, s, ""))
	_, err := s.Get(ctx, "a/b", 10)
	require.ErrorIs(t, err, archive.ErrNotFound)
	require.NoError(t, s.Put(ctx, "a/b", []byte("first")))
	require.ErrorIs(t, s.Put(ctx, "a/b", []byte("second")), archive.ErrExists)
	data, err := s.Get(ctx, "a/b", 5)
	require.NoError(t, err)
	require.Equal(t, "first", string(data))
	_, err = s.Get(ctx, "a/b", 4)
	require.ErrorIs(t, err, archive.ErrTooLarge)
	require.NoError(t, s.Put(ctx, "a/c-1.2/d", nil))
	require.NoError(t, s.Put(ctx, "e", []byte("x")))
	require.Equal(t, []string{"a/b", "a/c-1.2/d", "e"}, names(t, s, ""))
	require.Equal(t, []string{"a/b", "a/c-1.2/d"}, names(t, s, "a/"))
	require.Empty(t, names(t, s, "z/"))
	for _, bad := range []string{"", "/a", "a/", "a//b", "../a", "a/..", ".a", "A", "a b", "a\\b"} {
		require.Error(t, s.Put(ctx, bad, nil), bad)
		_, err := s.Get(ctx, bad, 1)
		require.Error(t, err, bad)
	}
	// Of many at once one wins.
	var wins, wait = make(chan int, 20), sync.WaitGroup{}
	for i := range 20 {
		wait.Go(func() {
			if s.Put(ctx, "race", []byte{byte(i)}) == nil {
				wins <- i
			}
		})
	}
	wait.Wait()
	require.Len(t, wins, 1)
	data, err = s.Get(ctx, "race", 1)
	require.NoError(t, err)
	require.Equal(t, []byte{byte(<-wins)}, data)
}

func TestFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new")
	s, err := objectstore.Open("file://"+path, true)
	require.NoError(t, err)
	require.NoDirExists(t, path, "nothing is asked for yet")
	contract(t, s)
	require.NoError(t, s.Remove(t.Context(), "a/c-1.2/d"))
	require.NoError(t, s.Remove(t.Context(), "a/c-1.2/d"))
	require.NoDirExists(t, filepath.Join(path, "a", "c-1.2"))
	require.Equal(t, []string{"a/b", "e", "race"}, names(t, s, ""))
	info, err := os.Stat(filepath.Join(path, "a", "b"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	// What a kill has left is no object.
	require.NoError(t, os.WriteFile(filepath.Join(path, "a", ".unfinished-123"), []byte("half"), 0o600))
	require.Equal(t, []string{"a/b"}, names(t, s, "a/"))
}

// TestAFolderOfADiskThatIsNotMounted is not made.
func TestAFolderOfADiskThatIsNotMounted(t *testing.T) {
	above := filepath.Join(t.TempDir(), "mnt")
	s, err := objectstore.Open("file://"+above+"/archive", true)
	require.NoError(t, err)
	err = s.Put(t.Context(), "a", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, above+", in which the archive is to be made; mount its disk, or make it")
	require.NoDirExists(t, above)
	reading, err := objectstore.Open(above, false)
	require.NoError(t, err)
	_, err = archive.Clusters(t.Context(), reading)
	require.ErrorIs(t, err, fs.ErrNotExist, "a mistyped path is not an empty archive")
	require.ErrorIs(t, reading.Put(t.Context(), "a", nil), fs.ErrNotExist)
	require.NoDirExists(t, above)
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backup.zkine")
	f, err := objectstore.CreateFile(path)
	require.NoError(t, err)
	contract(t, f)
	require.NoFileExists(t, path)
	require.NoError(t, f.Commit())
	f.Discard()
	_, err = objectstore.CreateFile(path)
	require.ErrorIs(t, err, fs.ErrExist)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)

	s, err := objectstore.Open(path, false)
	require.NoError(t, err)
	require.Equal(t, []string{"a/b", "a/c-1.2/d", "e", "race"}, names(t, s, ""))
	_, err = s.Get(t.Context(), "nothing", 1)
	require.ErrorIs(t, err, archive.ErrNotFound)
	require.Error(t, s.Put(t.Context(), "new", nil))

	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for size := range good {
		require.NoError(t, os.WriteFile(path, good[:size], 0o600))
		_, err := objectstore.Open(path, false)
		require.ErrorContains(t, err, "truncated", size)
	}
}

// TestAFileThatIsGivenUp leaves nothing.
func TestAFileThatIsGivenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backup.zkine")
	f, err := objectstore.CreateFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Put(t.Context(), "a", []byte("x")))
	f.Discard()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Empty(t, entries)

	f, err = objectstore.CreateFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("another's"), 0o600))
	require.ErrorIs(t, f.Commit(), fs.ErrExist)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "another's", string(data))
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		"s3://b/p?endpoint=http://127.0.0.1:9": "bucket b/p at http://127.0.0.1:9",
		"s3://b":                               "bucket b at https://s3.amazonaws.com",
		"s3://b/?region=eu-central-1&endpoint=https://h": "bucket b at https://h",
		"file:///x/y": "folder /x/y",
		"/x/y/":       "folder /x/y",
	} {
		s, err := objectstore.Open(url, true)
		require.NoError(t, err, url)
		require.Equal(t, want, s.String())
	}
	t.Chdir(t.TempDir())
	file, err := objectstore.CreateFile("prod.zkine")
	require.NoError(t, err)
	require.NoError(t, file.Commit())
	s, err := objectstore.Open("prod.zkine", false)
	require.NoError(t, err, "as zkine backup was told")
	require.Contains(t, s.String(), "/prod.zkine")
	for _, url := range []string{"", "x", "ftp://x/y", "file://host/x", "file:///x?y=z", "s3:///x", "s3://b?endpoint=h:9", "s3://b?endpoint=ftp://h",
		"s3://b?secret=verysecret", "s3://user:verysecret@b/x", "s3://b?endpoint=https://user:verysecret@h", "s3://b?ca-file=/nowhere"} {
		_, err := objectstore.Open(url, true)
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), "verysecret")
		require.NotContains(t, err.Error(), "\n")
	}
}
