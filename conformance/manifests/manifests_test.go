package manifests

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

func root(t *testing.T, path ...string) string {
	t.Helper()
	checkout, err := rig.Checkout()
	require.NoError(t, err)
	return filepath.Join(append([]string{checkout}, path...)...)
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(root(t, path...))
	require.NoError(t, err)
	return string(text)
}

func parse(t *testing.T, path ...string) map[string]Object {
	t.Helper()
	all, err := Parse([]byte(read(t, path...)))
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// base is all objects of the kustomize base, before names and images were put in.
func base(t *testing.T) map[string]Object {
	t.Helper()
	return union(parse(t, "deploy", "kubernetes", "base", "zookeeper.yaml"), parse(t, "deploy", "kubernetes", "base", "zkine.yaml"))
}

func union(all ...map[string]Object) map[string]Object {
	one := map[string]Object{}
	for _, objects := range all {
		for key, o := range objects {
			one[key] = o
		}
	}
	return one
}

// workloads are the objects with pods.
var workloads = []string{"StatefulSet/zookeeper", "Deployment/zkine"}

// TestTheSeedsAreOne compares the third file of deploy/seed with the other two.
func TestTheSeedsAreOne(t *testing.T) {
	zookeeper, kubernetes := parse(t, "deploy", "seed", "zookeeper.yaml"), parse(t, "deploy", "seed", "kubernetes.yaml")
	both := union(zookeeper, kubernetes)
	require.Len(t, both, len(zookeeper)+len(kubernetes))
	require.Equal(t, both, parse(t, "deploy", "seed", "zookeeper-kubernetes.yaml"))
}

// TestPodsMountWhatThereIs follows each mount to its volume, and each volume to its ConfigMap or Secret.
func TestPodsMountWhatThereIs(t *testing.T) {
	secrets := read(t, "deploy", "kubernetes", "secrets.sh")
	for _, objects := range []map[string]Object{base(t), parse(t, "deploy", "seed", "zookeeper-kubernetes.yaml")} {
		for _, name := range workloads {
			pod := At(objects[name], "spec", "template", "spec")
			require.NotNil(t, pod, name)
			volumes := map[any]bool{}
			for _, v := range List(pod, "volumes") {
				volumes[At(v, "name")] = true
				if m := At(v, "configMap", "name"); m != nil {
					require.Contains(t, objects, "ConfigMap/"+m.(string))
				}
				if s := At(v, "secret", "secretName"); s != nil {
					require.Contains(t, secrets, "\n  secret "+s.(string)+" ")
				}
			}
			for _, c := range List(objects[name], "spec", "volumeClaimTemplates") {
				volumes[At(c, "metadata", "name")] = true
			}
			for _, m := range List(pod, "containers", 0, "volumeMounts") {
				require.True(t, volumes[At(m, "name")], "%s mounts %v", name, m)
			}
			require.Equal(t, At(objects[name], "spec", "selector", "matchLabels", "app.kubernetes.io/name"),
				At(objects[name], "spec", "template", "metadata", "labels", "app.kubernetes.io/name"))
		}
	}
}

// TestZkineHasBothFolders finds what zkine remembers, and snapshots while they are sent, on volumes that it may write to: the
// rest of its container is read-only, and what it remembers has to outlive the container.
func TestZkineHasBothFolders(t *testing.T) {
	staticPod := parse(t, "deploy", "kubernetes", "zkine-static-pod.yaml")
	require.Len(t, staticPod, 1)
	pods := map[string]any{
		"base": At(base(t)["Deployment/zkine"], "spec", "template", "spec"),
		"seed": At(parse(t, "deploy", "seed", "kubernetes.yaml")["Deployment/zkine"], "spec", "template", "spec"),
	}
	for _, pod := range staticPod {
		pods["static pod"] = At(pod, "spec")
	}
	for name, pod := range pods {
		container := At(pod, "containers", 0)
		require.Equal(t, true, At(container, "securityContext", "readOnlyRootFilesystem"), name)
		folders := map[string]string{"--data-dir": "", "--temp-dir": "/tmp"}
		for _, v := range List(container, "env") {
			for flag, variable := range map[string]string{"--data-dir": "ZKINE_DATA_DIR", "--temp-dir": "ZKINE_TEMP_DIR"} {
				if At(v, "name") == variable {
					folders[flag] = At(v, "value").(string)
				}
			}
		}
		for _, arg := range List(container, "command") {
			flag, value, _ := strings.Cut(arg.(string), "=")
			if _, ours := folders[flag]; ours {
				folders[flag] = value
			}
		}
		volumes := map[any]any{}
		for _, v := range List(pod, "volumes") {
			volumes[At(v, "name")] = v
		}
		for flag, folder := range folders {
			mounted := false
			for _, m := range List(container, "volumeMounts") {
				if At(m, "mountPath") == folder {
					mounted = true
					require.Nil(t, At(m, "readOnly"), "%s: %s", name, flag)
					v := volumes[At(m, "name")].(Object)
					require.True(t, v["emptyDir"] != nil || v["hostPath"] != nil, "%s: %s lies on %v", name, flag, v)
				}
			}
			require.True(t, mounted, "%s: nothing is mounted at %s %q", name, flag, folder)
		}
	}
}

// TestFilesOfTheSecrets finds each file that a setting names in the Secret that is mounted there.
func TestFilesOfTheSecrets(t *testing.T) {
	script := read(t, "deploy", "kubernetes", "secrets.sh")
	held := func(secret string) []string {
		line := regexp.MustCompile(`(?m)^  secret ` + secret + ` (.*)$`).FindStringSubmatch(script)
		require.NotNil(t, line, secret)
		return strings.Fields(line[1])
	}
	objects := base(t)
	for _, file := range regexp.MustCompile(`=/run/zookeeper/(\S+)`).FindAllStringSubmatch(At(objects["ConfigMap/zookeeper"], "data", "zoo.cfg").(string), -1) {
		require.Contains(t, held("zookeeper-tls"), file[1])
	}
	found := 0
	for _, v := range List(objects["Deployment/zkine"], "spec", "template", "spec", "containers", 0, "env") {
		value, _ := At(v, "value").(string)
		for folder, secret := range map[string]string{"/run/zkine/zookeeper/": "zkine-zookeeper", "/run/zkine/server/": "zkine-server"} {
			if file, ok := strings.CutPrefix(value, folder); ok {
				require.Contains(t, held(secret), file)
				found++
			}
		}
	}
	require.Equal(t, 7, found)
}

// TestZooKeeperHasTheSettingsOfTheOthers compares the ConfigMap's files with those of deploy/zookeeper, but for what a pod
// has to have otherwise.
func TestZooKeeperHasTheSettingsOfTheOthers(t *testing.T) {
	of := func(text string) map[string]string {
		settings := map[string]string{}
		for line := range strings.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") && !strings.HasPrefix(name, "server.") {
				settings[name] = value
			}
		}
		return settings
	}
	for _, objects := range []map[string]Object{base(t), parse(t, "deploy", "seed", "zookeeper.yaml"), parse(t, "deploy", "seed", "zookeeper-kubernetes.yaml")} {
		data := At(objects["ConfigMap/zookeeper"], "data")
		settings := of(At(data, "zoo.cfg").(string))
		_, tls := settings["secureClientPort"]
		for name, value := range of(read(t, "deploy", "zookeeper", "zoo.cfg")) {
			if tls && strings.HasPrefix(name, "nio.") {
				continue // of the server without TLS
			}
			require.Equal(t, value, settings[name], name)
		}
		flags := At(data, "java.env").(string)
		for _, flag := range regexp.MustCompile(`-(?:XX:|Xms)[^ "]+`).FindAllString(read(t, "deploy", "zookeeper", "java.env"), -1) {
			require.Contains(t, flags, flag)
		}
	}
}

// TestTheHeapFitsIntoTheLimit leaves room for what a JVM takes besides: 512 MiB.
func TestTheHeapFitsIntoTheLimit(t *testing.T) {
	container := At(base(t)["StatefulSet/zookeeper"], "spec", "template", "spec", "containers", 0)
	limit, ok := strings.CutSuffix(At(container, "resources", "limits", "memory").(string), "Gi")
	require.True(t, ok)
	gib, err := strconv.Atoi(limit)
	require.NoError(t, err)
	heap, err := strconv.Atoi(At(container, "env", 0, "value").(string))
	require.NoError(t, err)
	require.LessOrEqual(t, heap+512, gib*1024)
	values := read(t, "deploy", "helm", "zkine", "values.yaml")
	require.Contains(t, values, "heapMiB: "+strconv.Itoa(heap)+"\n")
}
