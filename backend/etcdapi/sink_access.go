package etcdapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// onlyOurUsers refuses a target with users or roles that are not to be there, or where
// users count already.
func (s *Sink) onlyOurUsers(ctx context.Context, ours Access) error {
	there, err := s.source.Access(ctx)
	if err != nil {
		return err
	}
	if there.Enabled {
		return fmt.Errorf("%w: it has users, and they count", ErrNotEmpty)
	}
	for _, u := range there.Users {
		if !slices.ContainsFunc(ours.Users, func(o *authpb.User) bool { return string(o.Name) == string(u.Name) }) {
			return fmt.Errorf("%w: it has other users", ErrNotEmpty)
		}
	}
	for _, r := range there.Roles {
		if !slices.ContainsFunc(ours.Roles, func(o *authpb.Role) bool { return string(o.Name) == string(r.Name) }) {
			return fmt.Errorf("%w: it has other roles", ErrNotEmpty)
		}
	}
	return nil
}

// Enable has users count.
func (s *Sink) Enable(ctx context.Context) error {
	_, err := s.client.AuthEnable(ctx)
	return sorted(ctx, "have users count", err)
}

// admit makes roles and users. All of it may have been done in part.
func (s *Sink) admit(ctx context.Context, a Access) error {
	there, err := s.source.Access(ctx)
	if err != nil {
		return err
	}
	for _, r := range a.Roles {
		if err := s.addRole(ctx, r, there.Roles); err != nil {
			return sorted(ctx, "make a role", err)
		}
	}
	api := pb.NewAuthClient(s.client.ActiveConnection())
	for _, u := range a.Users {
		if err := addUser(ctx, api, u, there.Users); err != nil {
			return sorted(ctx, "make a user", err)
		}
	}
	return nil
}

func (s *Sink) addRole(ctx context.Context, r *authpb.Role, there []*authpb.Role) error {
	name := string(r.Name)
	if !slices.ContainsFunc(there, func(o *authpb.Role) bool { return string(o.Name) == name }) {
		if _, err := s.client.RoleAdd(ctx, name); err != nil {
			return err
		}
	}
	for _, p := range r.KeyPermission {
		kind := clientv3.PermissionType(p.PermType)
		if _, err := s.client.RoleGrantPermission(ctx, name, string(p.Key), string(p.RangeEnd), kind); err != nil {
			return err
		}
	}
	return nil
}

// addUser makes a user with the password that its hash is of. etcd hashes what UserAdd
// brings, whatever it is; UserChangePassword without a password takes a hash as it is.
func addUser(ctx context.Context, api pb.AuthClient, u *authpb.User, there []*authpb.User) error {
	name := string(u.Name)
	known := slices.IndexFunc(there, func(o *authpb.User) bool { return string(o.Name) == name })
	if known < 0 {
		add := &pb.AuthUserAddRequest{Name: name, Options: u.Options}
		if !u.GetOptions().GetNoPassword() {
			add.Password = rand.Text() // until the next step
		}
		if _, err := api.UserAdd(ctx, add); err != nil {
			return err
		}
	}
	if !u.GetOptions().GetNoPassword() && len(u.Password) > 0 {
		hash := base64.StdEncoding.EncodeToString(u.Password)
		if _, err := api.UserChangePassword(ctx, &pb.AuthUserChangePasswordRequest{Name: name, HashedPassword: hash}); err != nil {
			return err
		}
	}
	for _, role := range u.Roles {
		if known >= 0 && slices.Contains(there[known].Roles, role) {
			continue
		}
		if _, err := api.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: name, Role: role}); err != nil {
			return err
		}
	}
	return nil
}
