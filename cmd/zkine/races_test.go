package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// reportRaces has the race detector of a process that is tested report on its stderr,
// and leave the exit code alone: unknownRaces judges the reports.
const reportRaces = "GORACE=exitcode=0"

var (
	raceReport = regexp.MustCompile(`(?s)WARNING: DATA RACE\n(.*?)\n={18}`)
	raceAccess = regexp.MustCompile(`(?mi)^\s*(?:previous )?(?:atomic )?(?:read|write) at .*\n\s*(\S+)\(\)$`)
)

// clientsRace is one of ZooKeeper's client, 1.0.4: a watch that is answered before its
// loop looks for watches to set again has it read the last zxid while the next answer
// writes it. It costs a request at most, which sets the watch twice.
var clientsRace = []string{"github.com/go-zookeeper/zk.(*Conn).recvLoop", "github.com/go-zookeeper/zk.(*Conn).sendSetWatches"}

// unknownRaces are the reports in a process's output of other races than the client's.
func unknownRaces(output string) (reports []string) {
	for _, report := range raceReport.FindAllStringSubmatch(output, -1) {
		var of []string
		for _, access := range raceAccess.FindAllStringSubmatch(report[1], -1) {
			of = append(of, access[1])
		}
		slices.Sort(of)
		if !slices.Equal(of, clientsRace) {
			reports = append(reports, report[0])
		}
	}
	return reports
}

func TestRacesOfProcesses(t *testing.T) {
	report := func(first, second string) string {
		return strings.Join([]string{
			"==================", "WARNING: DATA RACE", "Write at 0x00c000179500 by goroutine 65:",
			"  " + first + "()", "      conn.go:849 +0x68c", "  github.com/go-zookeeper/zk.(*Conn).loop.func2()", "      conn.go:474 +0x1c4", "",
			"Previous read at 0x00c000179500 by goroutine 61:", "  " + second + "()", "      conn.go:614 +0x49d", "",
			"Goroutine 65 (running) created at:", "  github.com/go-zookeeper/zk.(*Conn).loop()", "      conn.go:466 +0x53e", "==================", "",
		}, "\n")
	}
	known := report(clientsRace[0], clientsRace[1])
	other := report(clientsRace[0], "github.com/zkine/zkine/revision/zkclient.(*Conn).read")
	require.Empty(t, unknownRaces("a line\n"))
	require.Empty(t, unknownRaces("a line\n"+known+"another\n"+known))
	require.Len(t, unknownRaces(known+other+"another\n"), 1)
	require.Len(t, unknownRaces(report(clientsRace[0], clientsRace[0])), 1)
}
