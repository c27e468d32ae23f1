package deploy

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// command is a block of commands in a document: what stands between ```sh and ```.
var command = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// heading is a line that begins a section of a document.
var heading = regexp.MustCompile(`(?m)^#+ (.*)$`)

// Block is a piece of a document that a reader pastes into a shell.
type Block struct {
	// Section is the heading that it stands under.
	Section string
	// Line is where its first command stands in the document, from 1.
	Line int
	// Text holds its commands, each line with its newline.
	Text string
}

// Blocks are the blocks of commands in a Markdown file, in order. A file without any is an error.
func Blocks(file string) ([]Block, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var blocks []Block
	for _, at := range command.FindAllSubmatchIndex(text, -1) {
		b := Block{Line: 1 + strings.Count(string(text[:at[2]]), "\n"), Text: string(text[at[2]:at[3]])}
		// Without the blocks before: in them # begins a comment.
		if above := heading.FindAllSubmatch(command.ReplaceAll(text[:at[0]], nil), -1); above != nil {
			b.Section = string(above[len(above)-1][1])
		}
		blocks = append(blocks, b)
	}
	if blocks == nil {
		return nil, fmt.Errorf("%s has no block of commands, between ```sh and ```", file)
	}
	return blocks, nil
}
