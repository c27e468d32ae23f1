package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
)

const acceptHelp = `Decide that what a root holds now is to be served, although a zkine has served more than that: its log
went back, for example to an older backup of ZooKeeper. Read "The log went back" in docs/operations.md first: what is
missing may still be found, and clients that keep a cache have to be restarted afterwards.

Without --cluster-id it only shows what was seen and what the root holds. With it, the halt is taken away, and zkines
may start; those that remember more yield to the decision. Should the log go back again, they stop again.`

// newAcceptCommand builds `zkine log accept`.
func newAcceptCommand(environ []string) *cobra.Command {
	return completeLogCommand(environ, &cobra.Command{
		Use:   "accept",
		Short: "Have what the root holds served, though the log went back",
		Long:  acceptHelp,
	}, acceptLog)
}

func acceptLog(cmd *cobra.Command, o *logOptions) error {
	w := cmd.OutOrStdout()
	if o.cluster.id == 0 {
		h, err := zklog.Look(cmd.Context(), o.logConfig())
		if err != nil {
			return about("root "+o.root, err)
		}
		printHolding(w, o.root, h)
		return &problem{thing: "--cluster-id", what: "is needed to accept that", usage: true,
			remedy: fmt.Sprintf("if nothing better can be found, add --cluster-id=%v", h.ClusterID)}
	}
	h, err := zklog.Accept(cmd.Context(), o.logConfig(), operator())
	if err != nil {
		return about("root "+o.root, err)
	}
	printHolding(w, o.root, h)
	fmt.Fprintln(w, "accepted: start the zkines, then whatever keeps a cache of what they served")
	return nil
}

// operator names the person who decides, as far as the machine knows.
func operator() string {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname()
	return cmp.Or(name, "somebody") + "@" + cmp.Or(host, "somewhere")
}

func printHolding(w io.Writer, root string, h *zkroot.Holding) {
	fmt.Fprintf(w, "root %s, cluster %v\n", root, h.ClusterID)
	printHalt(w, h.Halt)
	if h.Halt == nil {
		fmt.Fprintln(w, "not halted")
	}
	if a := h.Accepted; a != nil {
		fmt.Fprintf(w, "last accepted: at %s by %s\n", a.At.UTC().Format(time.RFC3339), a.By)
	}
	fmt.Fprintf(w, "holds: about revision %d, segment %s with %d slots, last written %s\n",
		h.Revision, h.Segment, h.Slots, h.Written.UTC().Format(time.RFC3339))
}

func printHalt(w io.Writer, h *zkroot.Halt) {
	if h == nil {
		return
	}
	fmt.Fprintf(w, "halted: at %s by %s on %s, which had served revision %d", h.At.UTC().Format(time.RFC3339), h.By, h.Host, h.Revision)
	if h.Segment != "" {
		fmt.Fprintf(w, " and seen slot %d of segment %s", h.Slot, h.Segment)
	}
	fmt.Fprintf(w, "\nit found: %s\n", oneLine(h.Found))
}
