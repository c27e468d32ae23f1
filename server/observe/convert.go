package observe

import (
	"github.com/zkine/zkine/backend/observepb"
	"github.com/zkine/zkine/server/usage"
)

// FromReport makes a message of a report, and ToReport a report of a message.
func FromReport(r usage.Report) *observepb.UsageResponse {
	m := &observepb.UsageResponse{
		IntervalSeconds: r.Interval, RecordingSeconds: r.Recording, All: fromActivity(&r.All),
		OtherPrefixes: fromActivity(&r.OtherPrefixes), OtherClients: fromActivity(&r.OtherClients),
	}
	for i := range r.Prefixes {
		p := &r.Prefixes[i]
		m.Prefixes = append(m.Prefixes, &observepb.Prefix{
			Prefix: p.Prefix, Resource: p.Resource, Namespace: p.Namespace, Activity: fromActivity(&p.Activity),
		})
	}
	for i := range r.Clients {
		c := &r.Clients[i]
		m.Clients = append(m.Clients, &observepb.Client{
			Address: c.Address, User: c.User, Certificate: c.Certificate, UserAgent: c.UserAgent, Activity: fromActivity(&c.Activity),
		})
	}
	return m
}

// ToReport makes a report of a message.
func ToReport(m *observepb.UsageResponse) usage.Report {
	r := usage.Report{
		Interval: m.GetIntervalSeconds(), Recording: m.GetRecordingSeconds(), All: toActivity(m.GetAll()),
		OtherPrefixes: toActivity(m.GetOtherPrefixes()), OtherClients: toActivity(m.GetOtherClients()),
		Prefixes: []usage.Prefix{}, Clients: []usage.Client{},
	}
	for _, p := range m.GetPrefixes() {
		r.Prefixes = append(r.Prefixes, usage.Prefix{
			Prefix: p.GetPrefix(), Resource: p.GetResource(), Namespace: p.GetNamespace(), Activity: toActivity(p.GetActivity()),
		})
	}
	for _, c := range m.GetClients() {
		r.Clients = append(r.Clients, usage.Client{
			Address: c.GetAddress(), User: c.GetUser(), Certificate: c.GetCertificate(), UserAgent: c.GetUserAgent(), Activity: toActivity(c.GetActivity()),
		})
	}
	return r
}

func fromActivity(a *usage.Activity) *observepb.Activity {
	return &observepb.Activity{
		Watchers: a.Watchers,
		Rates: &observepb.Rates{
			Writes: a.Writes, Reads: a.Reads, Events: a.Events,
			BytesWritten: a.BytesWritten, BytesRead: a.BytesRead, BytesWatched: a.BytesWatched,
			Errors: a.Errors, Calls: a.Calls, Keepalives: a.KeepAlives,
		},
		Total: &observepb.Totals{
			Writes: a.Total.Writes, Reads: a.Total.Reads, Events: a.Total.Events,
			BytesWritten: a.Total.BytesWritten, BytesRead: a.Total.BytesRead, BytesWatched: a.Total.BytesWatched,
			Errors: a.Total.Errors, Calls: a.Total.Calls, Keepalives: a.Total.KeepAlives,
		},
	}
}

func toActivity(m *observepb.Activity) usage.Activity {
	r, t := m.GetRates(), m.GetTotal()
	return usage.Activity{
		Watchers: m.GetWatchers(),
		Rates: usage.Rates{
			Writes: r.GetWrites(), Reads: r.GetReads(), Events: r.GetEvents(),
			BytesWritten: r.GetBytesWritten(), BytesRead: r.GetBytesRead(), BytesWatched: r.GetBytesWatched(),
			Errors: r.GetErrors(), Calls: r.GetCalls(), KeepAlives: r.GetKeepalives(),
		},
		Total: usage.Totals{
			Writes: t.GetWrites(), Reads: t.GetReads(), Events: t.GetEvents(),
			BytesWritten: t.GetBytesWritten(), BytesRead: t.GetBytesRead(), BytesWatched: t.GetBytesWatched(),
			Errors: t.GetErrors(), Calls: t.GetCalls(), KeepAlives: t.GetKeepalives(),
		},
	}
}

func fromMember(m Member) *observepb.MemberResponse {
	return &observepb.MemberResponse{
		Id: m.ID, Name: m.Name, Version: m.Version, NotReady: m.NotReady,
		Revision: m.Revision, CompactRevision: m.CompactRevision, KnownIndex: m.KnownIndex, AppliedIndex: m.AppliedIndex,
		Keeper: m.Keeper, StoreBytes: m.StoreBytes, LiveBytes: m.LiveBytes, QuotaBytes: m.QuotaBytes,
		UptimeSeconds: m.UptimeSeconds, ResidentBytes: m.ResidentBytes, CpuSeconds: m.CPUSeconds, Connections: int64(m.Connections),
	}
}

// ToMember makes a member of a message.
func ToMember(m *observepb.MemberResponse) Member {
	return Member{
		ID: m.GetId(), Name: m.GetName(), Version: m.GetVersion(), NotReady: m.GetNotReady(),
		Revision: m.GetRevision(), CompactRevision: m.GetCompactRevision(), KnownIndex: m.GetKnownIndex(), AppliedIndex: m.GetAppliedIndex(),
		Keeper: m.GetKeeper(), StoreBytes: m.GetStoreBytes(), LiveBytes: m.GetLiveBytes(), QuotaBytes: m.GetQuotaBytes(),
		UptimeSeconds: m.GetUptimeSeconds(), ResidentBytes: m.GetResidentBytes(), CPUSeconds: m.GetCpuSeconds(), Connections: int(m.GetConnections()),
	}
}

func fromServer(s Server) *observepb.Server {
	return &observepb.Server{
		Address: s.Address, Error: s.Error, Mode: s.Mode, Version: s.Version, AnsweredMs: s.AnsweredMs,
		LatencyMinMs: s.LatencyMinMs, LatencyAvgMs: s.LatencyAvgMs, LatencyMaxMs: s.LatencyMaxMs,
		Connections: s.Connections, Outstanding: s.Outstanding, Znodes: s.Znodes, Zxid: s.Zxid,
	}
}

// ToServers makes the servers of a message.
func ToServers(m *observepb.EnsembleResponse) []Server {
	servers := []Server{}
	for _, s := range m.GetServers() {
		servers = append(servers, Server{
			Address: s.GetAddress(), Error: s.GetError(), Mode: s.GetMode(), Version: s.GetVersion(), AnsweredMs: s.GetAnsweredMs(),
			LatencyMinMs: s.GetLatencyMinMs(), LatencyAvgMs: s.GetLatencyAvgMs(), LatencyMaxMs: s.GetLatencyMaxMs(),
			Connections: s.GetConnections(), Outstanding: s.GetOutstanding(), Znodes: s.GetZnodes(), Zxid: s.GetZxid(),
		})
	}
	return servers
}
