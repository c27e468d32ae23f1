// Bench measures zkine beside etcd, kine and bare ZooKeeper on this machine, in one run, and prints a table:
//
//	components/build.sh etcd kine benchmark
//	go run ./bench                                     # everything; an hour and a quarter
//	go run ./bench -quick                              # a look at everything; numbers that nobody should quote
//	go run ./bench -run '^update/100$' -contenders zkine3,etcd3 -seconds 3 -rounds 3
//	go run ./bench -run watch -out a.jsonl             # keeps the results, one JSON object a line
//	go run ./bench -before /path/of/zkine -contenders zkine1,zkine3 -rounds 9   # two builds against each other
//	go run ./bench -render -markdown table.md -plots . a.jsonl b.jsonl
//
// It starts the contenders by itself (package contender). All are up for the whole run, and for each measurement they
// take turns, round by round, so that what the machine does besides hits all alike. The load comes from a process of
// its own (package load), which also takes the processor time that the servers burn while its clock runs. The table
// shows medians of the rounds. A turn in which the rest of the machine was busy is taken again.
//
// What is there for the whole run takes 40 s of 50 clients first (-warm) that count for nobody. What has "cold" in its
// name, memory, and puts beside other work start each contender anew for each turn, with nothing else running.
//
// The workloads kube and kube-cold replay what a kube-apiserver asked of its etcd (package replay) of three members:
// on contenders that were loaded before, and on such as have just started. To record it again, which takes three minutes
// besides what is built first:
//
//	components/build.sh etcd kube-apiserver kube-controller-manager kube-scheduler
//	go run ./kubesmoke -record bench/replay/control-plane.trace.gz
//
// With -before another build of zkine takes its turns beside this checkout's, on the same ZooKeepers, and a table shows
// the ratios. All zkines are started again before each round then: two processes of one program differ for as long as
// they run, so that what a change is worth shows over many rounds of new ones.
//
// After each measurement the stores are compacted, as kube-apiserver does every five minutes, and what was created is
// removed. Start times are taken besides, each with processes and folders of its own.
//
// points.go lists what is measured, bars.go what is asked of zkine.
package main
