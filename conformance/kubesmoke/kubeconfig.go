package main

import (
	"encoding/json"
	"os"
)

// writeKubeconfig writes the file by which a Kubernetes program finds the API server and proves who it is. JSON will
// do, being YAML too.
func writeKubeconfig(path, server, authority string, who identity) error {
	type m map[string]any
	text, err := json.MarshalIndent(m{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "smoke",
		"contexts":        []m{{"name": "smoke", "context": m{"cluster": "smoke", "user": "smoke"}}},
		"clusters":        []m{{"name": "smoke", "cluster": m{"server": server, "certificate-authority": authority}}},
		"users":           []m{{"name": "smoke", "user": m{"client-certificate": who.cert, "client-key": who.key}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
