package embedded

import (
	"bytes"
	"os"
	"strings"
	"sync"
)

const (
	logFileSize = 16 << 20 // bytes, at which the file becomes <name>.1
	logTailSize = 16 << 10 // bytes, kept in memory
)

// logFile takes the child's output: the newest two files' worth on disk, the end of it in memory. Writing never
// fails: a full disk must not break the pipe of a server that lives.
type logFile struct {
	mu   sync.Mutex
	path string
	file *os.File // nil when it could not be opened again
	size int64
	tail []byte // up to twice logTailSize, so that cutting is rare
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.open()
}

func (l *logFile) open() error {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Write implements io.Writer.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if len(l.tail) > 2*logTailSize {
		l.tail = append(l.tail[:0], l.tail[len(l.tail)-logTailSize:]...)
	}
	if l.file != nil && l.size > logFileSize {
		l.file.Close()
		l.file = nil
		_ = os.Rename(l.path, l.path+".1")
		_ = l.open()
	}
	if l.file != nil {
		n, _ := l.file.Write(p)
		l.size += int64(n)
	}
	return len(p), nil
}

// last returns up to n of the newest lines.
func (l *logFile) last(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(string(bytes.TrimRight(l.tail, "\n")), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
