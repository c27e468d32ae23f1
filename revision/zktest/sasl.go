package zktest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/zkine/zkine/revision/embedded"
)

// WithSASL has a server know a user by SASL's DIGEST-MD5. Clients that do not
// show that they are this user are served, too.
func WithSASL(t testing.TB, user, password string) Option {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jaas.conf")
	jaas := fmt.Sprintf("Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  user_%s=%q;\n};\n", user, password)
	if err := os.WriteFile(file, []byte(jaas), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *embedded.Config) {
		c.Properties["authProvider.sasl"] = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
		c.Properties["fips-mode"] = "false" // else 3.9 knows no DIGEST-MD5
		c.JVMFlags = append(c.JVMFlags, "-Djava.security.auth.login.config="+file)
	}
}
