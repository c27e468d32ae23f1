// Package configfile reads a file of settings: YAML, or JSON, which is a part of
// it, with the names of flags as keys. Where etcd's file has another form than its
// flags, such as the section client-transport-security, both are understood.
package configfile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxBytes bounds a file; one for all flags has some 5 KiB.
const maxBytes = 1 << 20

// Setting is a key of a file with its value.
type Setting struct {
	// Flag is the flag that the key stands for. Key is how the file calls it, with
	// its section, and Line where it stands, from 1.
	Flag, Key string
	Line      int
	// Value is as a flag takes it. A list has commas between. Integer says that it
	// is a bare whole number: etcd's durations are nanoseconds in a file.
	Value   string
	Integer bool
}

// sections are those of etcd's file, with the flag of each key: what is not listed
// has the flag's own name, after the prefix.
var sections = map[string]struct {
	prefix string
	flags  map[string]string
}{
	"client-transport-security": {"", map[string]string{"allowed-hostname": "client-cert-allowed-hostname"}},
	"peer-transport-security": {"peer-", map[string]string{
		"allowed-cn": "peer-cert-allowed-cn", "allowed-hostname": "peer-cert-allowed-hostname",
	}},
	"socket-options":   {"socket-", nil},
	"discovery-config": {"discovery-", nil},
}

// Read reads a file. Keys without a value are left out, as etcd's example has many.
// An error names the file, and the line where there is one.
func Read(path string) ([]Setting, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxBytes)
	}
	return parse(path, text)
}

func parse(path string, text []byte) ([]Setting, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		// The library counts some lines from 0 and some from 1.
		why := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
		return nil, fmt.Errorf("%s: near %s", path, why)
	}
	if len(document.Content) == 0 || document.Content[0].Tag == "!!null" {
		return nil, nil
	}
	r := reader{path: path, seen: make(map[string]int)}
	if err := r.mapping(document.Content[0], "", "", nil); err != nil {
		return nil, err
	}
	return r.settings, nil
}

// reader collects the settings of one file.
type reader struct {
	path     string
	settings []Setting
	seen     map[string]int // the line of each flag
}

// mapping reads the keys of the file, or of one of its sections.
func (r *reader) mapping(n *yaml.Node, section, prefix string, flags map[string]string) error {
	if n.Kind != yaml.MappingNode {
		return r.fault(n, section, errors.New("holds no keys with values"))
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		name := key.Value
		if of, is := sections[name]; is && section == "" {
			if value.Tag == "!!null" {
				continue
			}
			if err := r.mapping(value, name+".", of.prefix, of.flags); err != nil {
				return err
			}
			continue
		}
		flag, named := flags[name]
		if !named {
			flag = prefix + name
		}
		if err := r.setting(key, value, section+name, flag); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) setting(key, value *yaml.Node, name, flag string) error {
	if line, twice := r.seen[flag]; twice {
		return r.fault(key, name, fmt.Errorf("is set in line %d already", line))
	}
	r.seen[flag] = key.Line
	text, err := scalar(value)
	if err != nil {
		return r.fault(key, name, err)
	}
	if text != "" {
		r.settings = append(r.settings, Setting{
			Flag: flag, Key: name, Line: key.Line, Value: text, Integer: value.Tag == "!!int",
		})
	}
	return nil
}

func (r *reader) fault(n *yaml.Node, name string, err error) error {
	if name == "" {
		name = "the file"
	}
	return fmt.Errorf("%s:%d: %s %w", r.path, n.Line, strings.TrimSuffix(name, "."), err)
}

// scalar is a value as a flag takes it; "" if there is none.
func scalar(n *yaml.Node) (string, error) {
	switch {
	case n.Tag == "!!null":
		return "", nil
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind != yaml.SequenceNode:
		return "", errors.New("is a section, and there is none of that name")
	}
	var words []string
	for _, item := range n.Content {
		if item = resolve(item); item.Kind != yaml.ScalarNode {
			return "", errors.New("is a list of something else than words")
		}
		words = append(words, item.Value)
	}
	if len(words) == 0 {
		return "", nil
	}
	var line strings.Builder
	w := csv.NewWriter(&line) // which is how a flag reads a list
	if err := w.Write(words); err != nil {
		return "", err
	}
	w.Flush()
	return strings.TrimSuffix(line.String(), "\n"), nil
}

// resolve follows *name to what &name stands at.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
