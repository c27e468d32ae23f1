import type { EnsembleServer, Status } from "./api";
import { count, short } from "./format";
import { usePoll } from "./use";

export function Cluster() {
  const status = usePoll<Status>("status", {}, 2000);
  const ensemble = usePoll<{ servers: EnsembleServer[] }>("ensemble", {}, 5000);
  return (
    <>
      <h1>Cluster</h1>
      {status.error && <p class="notice bad" role="alert">{status.error}</p>}
      <section class="card">
        <h2 id="members">Members</h2>
        <div class="scroll" role="region" aria-labelledby="members" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Id</th>
                <th scope="col">Role</th>
                <th scope="col">Client URLs</th>
              </tr>
            </thead>
            <tbody>
              {status.data?.members.map((m) => (
                <tr>
                  <th scope="row">{m.name}</th>
                  <td class="mono">{m.id}</td>
                  <td>{[m.id === status.data!.keeper && "keeper", m.id === status.data!.member && "this one"].filter(Boolean).join(", ") || "–"}</td>
                  <td class="mono">{m.client_urls.join(" ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {status.data?.members.length === 0 && <p class="muted">No members are known: ZooKeeper has not told yet.</p>}
      </section>
      <section class="card">
        <h2 id="ensemble">ZooKeeper</h2>
        {ensemble.error && ensemble.error !== status.error && <p class="notice bad" role="alert">{ensemble.error}</p>}
        <div class="scroll" role="region" aria-labelledby="ensemble" tabIndex={0} hidden={!ensemble.data}>
          <table>
            <thead>
              <tr>
                <th scope="col">Server</th>
                <th scope="col">Mode</th>
                <th scope="col">Version</th>
                <th scope="col" class="number">Answered in</th>
                <th scope="col">Latency, ms (min/mean/max)</th>
                <th scope="col" class="number">Outstanding</th>
                <th scope="col" class="number">Connections</th>
                <th scope="col" class="number">Znodes</th>
                <th scope="col">Zxid</th>
              </tr>
            </thead>
            <tbody>
              {ensemble.data?.servers.map((s) => (
                <tr>
                  <th scope="row" class="mono">{s.address}</th>
                  {s.error ? (
                    <td colSpan={8} class="bad">{s.error}</td>
                  ) : (
                    <>
                      <td>{s.mode}</td>
                      <td>{s.version}</td>
                      <td class="number">{short(s.answered_ms)} ms</td>
                      <td class="mono">{[s.latency_min_ms, s.latency_avg_ms, s.latency_max_ms].map(short).join(" / ")}</td>
                      <td class="number">{count(s.outstanding)}</td>
                      <td class="number">{count(s.connections)}</td>
                      <td class="number">{count(s.znodes)}</td>
                      <td class="mono">{s.zxid}</td>
                    </>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {ensemble.data?.servers.length === 0 && <p class="muted">No server could be looked up.</p>}
      </section>
    </>
  );
}
