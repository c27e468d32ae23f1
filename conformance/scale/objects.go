package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Objects as Kubernetes stores them: "k8s\0", then an envelope with the kind and the object, in protobuf. Field numbers
// are not Kubernetes' own: what counts is how much of an object is like in others. What is different in each is what
// is in a real cluster: uids, names' suffixes, addresses, container ids, times, resource versions, random secrets.

// maker makes objects, the same ones for the same seed. One goroutine uses it.
type maker struct{ r *rand.Rand }

func newMaker(seed uint64) *maker { return &maker{rand.New(rand.NewPCG(seed, 1))} }

// object is a key and its value.
type object struct{ key, value []byte }

// message builds a protobuf message.
type message []byte

func (m *message) text(field protowire.Number, s string) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendString(*m, s)
}

func (m *message) sub(field protowire.Number, s message) { m.text(field, string(s)) }

func (m *message) number(field protowire.Number, n int64) {
	*m = protowire.AppendTag(*m, field, protowire.VarintType)
	*m = protowire.AppendVarint(*m, uint64(n))
}

func (m *message) texts(field protowire.Number, list ...string) {
	for _, s := range list {
		m.text(field, s)
	}
}

func (m *message) pair(field protowire.Number, key, value string) {
	var p message
	p.text(1, key)
	p.text(2, value)
	m.sub(field, p)
}

// time is seconds and, as Lease's micro times have it, a fraction.
func (m *message) time(field protowire.Number, seconds int64) {
	var t message
	t.number(1, seconds)
	m.sub(field, t)
}

func envelope(version, kind string, object message) []byte {
	var typed, all message
	typed.text(1, version)
	typed.text(2, kind)
	all.sub(1, typed)
	all.sub(2, object)
	all.text(3, "")
	all.text(4, "")
	return append([]byte("k8s\x00"), all...)
}

const epoch = 1_780_000_000 // seconds

func (k *maker) hex(bytes int) string {
	b := make([]byte, bytes)
	for i := range b {
		b[i] = byte(k.r.Uint32())
	}
	return hex.EncodeToString(b)
}

func (k *maker) uid() string {
	h := k.hex(16)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// suffix is what a generated name ends with.
func (k *maker) suffix() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	b := make([]byte, 5)
	for i := range b {
		b[i] = letters[k.r.IntN(len(letters))]
	}
	return string(b)
}

func (k *maker) address() string {
	return fmt.Sprintf("10.%d.%d.%d", k.r.IntN(64), k.r.IntN(256), k.r.IntN(256))
}

func node(n int) string {
	return fmt.Sprintf("ip-10-%d-%d-%d.eu-central-1.compute.internal", n/4096, n/64%64, n%64)
}

func (k *maker) meta(name, namespace string, labels ...string) message {
	var m message
	m.text(1, name)
	m.text(3, namespace)
	m.text(5, k.uid())
	m.time(8, epoch+k.r.Int64N(1<<20))
	for i := 0; i+1 < len(labels); i += 2 {
		m.pair(11, labels[i], labels[i+1])
	}
	return m
}

// managed is an entry of managedFields.
func managed(manager, fields string, at int64) message {
	var m message
	m.text(1, manager)
	m.text(2, "Update")
	m.text(3, "v1")
	m.time(4, at)
	m.text(6, "FieldsV1")
	m.text(7, fields)
	return m
}

const (
	podFields    = `{"f:metadata":{"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:pod-template-hash":{},"f:team":{},"f:tier":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"%s\"}":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"%s\"}":{".":{},"f:env":{".":{},"k:{\"name\":\"LOG_LEVEL\"}":{".":{},"f:name":{},"f:value":{}}},"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{},"f:name":{},"f:ports":{},"f:resources":{".":{},"f:limits":{},"f:requests":{}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:terminationGracePeriodSeconds":{}}}`
	statusFields = `{"f:status":{"f:conditions":{"k:{\"type\":\"ContainersReady\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Initialized\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}},"f:containerStatuses":{},"f:hostIP":{},"f:phase":{},"f:podIP":{},"f:podIPs":{".":{},"k:{\"ip\":\"%s\"}":{".":{},"f:ip":{}}},"f:startTime":{}}}`
)

// pod is one of a deployment's; deployments have some twenty pods each.
func (k *maker) pod(i int) object {
	deployment := i / 20
	app := fmt.Sprintf("%s-%s-%d", []string{"api", "web", "worker", "billing", "search", "ingest", "cache"}[deployment%7],
		[]string{"blue", "green", "canary", "main"}[deployment%4], deployment)
	namespace := fmt.Sprintf("team-%03d", deployment%200)
	of := newMaker(uint64(deployment)) // what the pods of a deployment share
	template, owner, image := of.hex(5)[:9], of.uid(), of.hex(32)
	name, ip := app+"-"+template+"-"+k.suffix(), k.address()
	at := epoch + k.r.Int64N(1<<20)

	meta := k.meta(name, namespace, "app", app, "pod-template-hash", template, "team", namespace, "tier", "backend")
	meta.text(2, app+"-"+template+"-")
	var ref message
	ref.texts(1, "ReplicaSet", app+"-"+template, owner, "apps/v1")
	meta.sub(13, ref)
	meta.sub(17, managed("kube-controller-manager", fmt.Sprintf(podFields, owner, app), at))
	meta.sub(17, managed("kubelet", fmt.Sprintf(statusFields, ip), at+3))

	token := "kube-api-access-" + k.suffix()
	var pod, spec, status message
	spec.texts(1, token, "token", "kube-root-ca.crt", "ca.crt", "namespace", "metadata.namespace")
	spec.sub(2, container(of, app, image, token))
	spec.texts(3, "Always", "ClusterFirst", "default", node(k.r.IntN(5000)), "default-scheduler")
	for _, key := range []string{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"} {
		var toleration message
		toleration.texts(1, key, "Exists", "NoExecute")
		toleration.number(5, 300)
		spec.sub(22, toleration)
	}
	status.text(1, "Running")
	for _, kind := range []string{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		var condition message
		condition.texts(1, kind, "True")
		condition.time(4, at+k.r.Int64N(10))
		status.sub(2, condition)
	}
	status.texts(5, k.address(), ip, ip)
	status.time(7, at)
	var run message
	run.texts(1, app, "registry.example.com/"+namespace+"/"+app+":v1.27.3", "registry.example.com/"+namespace+"/"+app+"@sha256:"+image,
		"containerd://"+k.hex(32))
	run.time(8, at+2)
	status.sub(8, run)
	status.text(9, "Burstable")
	pod.sub(1, meta)
	pod.sub(2, spec)
	pod.sub(3, status)
	return object{[]byte("/registry/pods/" + namespace + "/" + name), envelope("v1", "Pod", pod)}
}

func container(of *maker, app, image, token string) message {
	var c message
	c.text(1, app)
	c.text(2, "registry.example.com/"+app+":v1.27.3@sha256:"+image)
	c.texts(3, "/bin/"+app, "--config=/etc/"+app+"/config.yaml", "--listen=:8080", "--metrics=:9090")
	for i := range 6 + of.r.IntN(8) {
		c.pair(7, fmt.Sprintf("%s_SETTING_%d", strings.ToUpper(strings.ReplaceAll(app, "-", "_")), i), "value-"+of.suffix())
	}
	c.pair(7, "LOG_LEVEL", "info")
	c.pair(8, "cpu", "250m")
	c.pair(8, "memory", "256Mi")
	c.texts(9, token, "/var/run/secrets/kubernetes.io/serviceaccount")
	c.texts(10, "/healthz", "HTTP", "/dev/termination-log", "File", "IfNotPresent")
	return c
}

// lease is a node's heartbeat.
func (k *maker) lease(n int, renewed int64) object {
	of := newMaker(uint64(1_000_000 + n))
	meta := of.meta(node(n), "kube-node-lease")
	meta.sub(17, managed("kubelet", `{"f:metadata":{"f:ownerReferences":{".":{},"k:{\"uid\":\"`+of.uid()+`\"}":{}}},"f:spec":{"f:holderIdentity":{},"f:leaseDurationSeconds":{},"f:renewTime":{}}}`, renewed))
	var lease, spec, renew message
	spec.text(1, node(n))
	spec.number(2, 40)
	renew.number(1, renewed)
	renew.number(2, k.r.Int64N(1_000_000)*1000)
	spec.sub(4, renew)
	lease.sub(1, meta)
	lease.sub(2, spec)
	return object{[]byte("/registry/leases/kube-node-lease/" + node(n)), envelope("coordination.k8s.io/v1", "Lease", lease)}
}

// nodeStatus is a node, as its kubelet reports it every five minutes.
func (k *maker) nodeStatus(n int, at int64) object {
	of := newMaker(uint64(2_000_000 + n))
	meta := of.meta(node(n), "", "kubernetes.io/arch", "amd64", "kubernetes.io/hostname", node(n), "node.kubernetes.io/instance-type", "m5.2xlarge",
		"topology.kubernetes.io/region", "eu-central-1", "topology.kubernetes.io/zone", "eu-central-1"+string(rune('a'+n%3)))
	var object, status message
	for _, kind := range []string{"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"} {
		var condition message
		condition.texts(1, kind, "False", "KubeletHas"+kind, "kubelet has no "+kind)
		condition.time(3, at)
		condition.time(4, epoch)
		status.sub(4, condition)
	}
	for range 20 {
		var image message
		image.texts(1, "registry.example.com/"+of.suffix()+"@sha256:"+of.hex(32), "registry.example.com/"+of.suffix()+":v1.27.3")
		image.number(2, of.r.Int64N(1<<28))
		status.sub(8, image)
	}
	status.texts(7, of.hex(16), of.uid(), of.uid(), "6.1.0-28-cloud-amd64", "containerd://2.1.4", "v1.37.2")
	object.sub(1, meta)
	object.sub(3, status)
	return objectOf("/registry/minions/"+node(n), "v1", "Node", object)
}

// event is one of those that a cluster makes all day.
func (k *maker) event(i int) object {
	namespace := fmt.Sprintf("team-%03d", i%200)
	pod := fmt.Sprintf("api-main-%d-%s-%s", i%5000, newMaker(uint64(i % 5000)).hex(5)[:9], k.suffix())
	name := pod + "." + k.hex(8)
	at := epoch + int64(i)
	meta := k.meta(name, namespace)
	meta.sub(17, managed("kubelet", `{"f:count":{},"f:firstTimestamp":{},"f:involvedObject":{},"f:lastTimestamp":{},"f:message":{},"f:reason":{},"f:reportingComponent":{},"f:reportingInstance":{},"f:source":{"f:component":{},"f:host":{}},"f:type":{}}`, at))
	var e, involved message
	involved.texts(1, "Pod", namespace, pod, k.uid(), "v1", fmt.Sprint(10_000_000+i), "spec.containers{api}")
	e.sub(1, meta)
	e.sub(2, involved)
	e.texts(3, "Pulled", fmt.Sprintf("Successfully pulled image \"registry.example.com/api:v1.27.3\" in %dms. Image size: %d bytes.",
		k.r.IntN(9000), k.r.IntN(1<<28)), "kubelet", node(k.r.IntN(5000)), "Normal", "kubelet", node(k.r.IntN(5000)))
	e.time(6, at)
	e.time(7, at)
	e.number(8, 1)
	return objectOf("/registry/events/"+namespace+"/"+name, "v1", "Event", e)
}

// secret holds random bytes, which nothing makes smaller.
func (k *maker) secret(i, size int) object {
	name := fmt.Sprintf("credentials-%d-%s", i, k.suffix())
	namespace := fmt.Sprintf("team-%03d", i%200)
	var s message
	s.sub(1, k.meta(name, namespace))
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(k.r.Uint32())
	}
	s.pair(2, "token", string(data))
	s.text(3, "Opaque")
	return objectOf("/registry/secrets/"+namespace+"/"+name, "v1", "Secret", s)
}

// kilobyte is an object of which key and value together take 1 KiB: eight in ten are events, one a lease, and one a
// secret, half of which is random.
func (k *maker) kilobyte(i int) object {
	const size = 1 << 10
	var o object
	switch i % 10 {
	case 0:
		o = k.secret(i, size/2)
	case 1:
		o = k.lease(i, epoch+int64(i))
	default:
		o = k.event(i)
	}
	o.key = fmt.Appendf(nil, "/registry/all/%s", o.key[len("/registry/"):])
	for n := size - len(o.key) - len(o.value); n > 0; n = size - len(o.key) - len(o.value) {
		o.value = append(o.value, filler[:min(n, len(filler))]...)
	}
	o.value = o.value[:size-len(o.key)]
	return o
}

const filler = `{"f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/last-applied-configuration":{}}},"f:data":{}}`

func objectOf(key, version, kind string, m message) object {
	return object{[]byte(key), envelope(version, kind, m)}
}
