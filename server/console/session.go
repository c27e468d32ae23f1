package console

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// maxLogin bounds a login, in bytes.
const maxLogin = 4 << 10

// aboutAnswer is what the page knows before anyone has logged in.
type aboutAnswer struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Starting says why clients are not served yet.
	Starting string `json:"starting,omitempty"`
	// Login says that a user has to log in, if no certificate says who it is.
	Login bool `json:"login,omitempty"`
	// Closed says why no keys are read here.
	Closed string `json:"closed,omitempty"`
}

func (c *Console) about(door Door) handler {
	return func(_ *http.Request, from *caller) (any, error) {
		a := aboutAnswer{Name: c.cfg.Name, Version: c.cfg.Version, Closed: door.Closed}
		if from.Conn == nil {
			_, err := c.cfg.Store()
			if a.Starting = "zkine is starting"; err != nil {
				a.Starting = err.Error()
			}
			return a, nil
		}
		if from.AuthEnabled() {
			// A token that holds, or a certificate, needs no login.
			_, err := from.maintenance().Status(from.ctx, &pb.StatusRequest{})
			a.Login = err != nil
		}
		return a, nil
	}
}

// login exchanges a name and a password for a token. It is not logged; failed ones are, by name, where they are
// checked.
func (c *Console) login(r *http.Request, from *caller) (any, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, refusal{http.StatusUnsupportedMediaType, "a login is JSON"}
	}
	var given struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxLogin+1))
	if err != nil || len(body) > maxLogin || json.Unmarshal(body, &given) != nil {
		return nil, refusal{http.StatusBadRequest, "a login has a name and a password"}
	}
	request := &pb.AuthenticateRequest{Name: given.Name, Password: given.Password}
	answer, err := pb.NewAuthClient(from.Conn).Authenticate(from.ctx, request)
	proto.Reset(request)
	if err != nil {
		return nil, err
	}
	return map[string]string{"token": answer.Token}, nil
}
