package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
)

const verifyHelp = `Read everything that zkine keeps under a root of a ZooKeeper ensemble, from the format record to the
last slot and the last chunk of a checkpoint, and name each znode that cannot be trusted.

It changes nothing, and zkines may go on serving. The exit code is 0 if all is sound, 1 if not.`

// newVerifyCommand builds `zkine log verify`.
func newVerifyCommand(environ []string) *cobra.Command {
	return completeLogCommand(environ, &cobra.Command{
		Use:   "verify",
		Short: "Check every byte that zkine keeps in ZooKeeper",
		Long:  verifyHelp,
	}, verifyLog)
}

func verifyLog(cmd *cobra.Command, o *logOptions) error {
	v, err := zklog.Verify(cmd.Context(), o.logConfig())
	if err != nil {
		return about("root "+o.root, err)
	}
	printVerified(cmd.OutOrStdout(), o.root, v)
	if n := len(v.Findings); n > 0 {
		return &problem{thing: "root " + o.root, what: fmt.Sprintf("%d of its znodes cannot be trusted", n),
			remedy: knownRemedy(v.Findings[0].Err)}
	}
	return nil
}

func printVerified(w io.Writer, root string, v *zkroot.Verified) {
	fmt.Fprintf(w, "root %s, cluster %x\n", root, v.ClusterID)
	fmt.Fprintf(w, "log: %d segments, %d slots, %d requests, %d bytes\n", v.Segments, v.Slots, v.Requests, v.Bytes)
	if v.CheckpointSegment > 0 {
		fmt.Fprintf(w, "checkpoint: up to segment %d, %d bytes\n", v.CheckpointSegment, v.CheckpointBytes)
	}
	if v.Orphans > 0 {
		fmt.Fprintf(w, "%d staged parts that no slot names: harmless, swept in time\n", v.Orphans)
	}
	printHalt(w, v.Halt)
	for _, f := range v.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.Path, oneLine(f.Err.Error()))
	}
	if len(v.Findings) == 0 {
		fmt.Fprintln(w, "sound")
	}
}
