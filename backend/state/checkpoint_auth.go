package state

import (
	"bytes"
	"fmt"

	"go.etcd.io/etcd/api/v3/authpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// encodeAuth writes users and roles, in the order of their names.
func encodeAuth(meta *recordpb.CheckpointMeta, a *auth) error {
	meta.AuthEnabled, meta.AuthRevision = a.enabled, a.revision()
	for _, u := range a.users {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(u.User)
		if err != nil {
			return err
		}
		meta.Users = append(meta.Users, data)
	}
	for _, r := range a.roles {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
		if err != nil {
			return err
		}
		meta.Roles = append(meta.Roles, data)
	}
	return nil
}

// decodeAuth reads what encodeAuth wrote. Both lists are sorted by name.
func decodeAuth(meta *recordpb.CheckpointMeta) (auth, error) {
	a := auth{enabled: meta.AuthEnabled, changes: max(meta.AuthRevision, 1) - 1}
	for _, data := range meta.Users {
		u := new(authpb.User)
		if err := proto.Unmarshal(data, u); err != nil {
			return auth{}, fmt.Errorf("%w: a user: %w", ErrBadCheckpoint, err)
		}
		if n := len(a.users); n > 0 && bytes.Compare(a.users[n-1].Name, u.Name) >= 0 {
			return auth{}, fmt.Errorf("%w: user %.64q is out of order", ErrBadCheckpoint, u.Name)
		}
		a.users = append(a.users, &user{User: u})
	}
	for _, data := range meta.Roles {
		r := new(authpb.Role)
		if err := proto.Unmarshal(data, r); err != nil {
			return auth{}, fmt.Errorf("%w: a role: %w", ErrBadCheckpoint, err)
		}
		if n := len(a.roles); n > 0 && bytes.Compare(a.roles[n-1].Name, r.Name) >= 0 {
			return auth{}, fmt.Errorf("%w: role %.64q is out of order", ErrBadCheckpoint, r.Name)
		}
		a.roles = append(a.roles, r)
	}
	return a, nil
}
