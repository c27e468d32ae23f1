import { useState } from "preact/hooks";
import type { About } from "./api";
import { bytes, short } from "./format";
import { usePoll } from "./use";

interface Activity {
  writes: number;
  reads: number;
  events: number;
  bytes_written: number;
  bytes_read: number;
  bytes_watched: number;
  errors: number;
  calls: number;
  keepalives: number;
  watchers: number;
}
interface Prefix extends Activity {
  prefix: string;
  resource?: string;
  namespace?: string;
}
interface Client extends Activity {
  address: string;
  user?: string;
  certificate?: string;
  user_agent?: string;
}
interface Report {
  interval_seconds: number;
  all: Activity;
  prefixes: Prefix[] | null;
  clients: Client[] | null;
}

type Column = [keyof Activity, string, (n: number) => string];

const columns: Column[] = [
  ["writes", "Writes/s", short],
  ["reads", "Reads/s", short],
  ["events", "Events/s", short],
  ["bytes_written", "Written/s", bytes],
  ["bytes_read", "Read/s", bytes],
  ["bytes_watched", "Watched/s", bytes],
  ["watchers", "Watchers", short],
  ["errors", "Errors/s", short],
];
const ofClients: Column[] = [["calls", "Calls/s", short], ...columns];

export function Usage({ about }: { about: About }) {
  const [seconds, setSeconds] = useState(60);
  const { data, error } = usePoll<Report>("usage", { seconds }, 2000);
  if (about.closed) return <Closed why={about.closed} />;
  return (
    <>
      <div class="bar">
        <h1>Who asks for what</h1>
        <label>
          Over the last{" "}
          <select value={seconds} onChange={(e) => setSeconds(Number(e.currentTarget.value))}>
            <option value="5">5 seconds</option>
            <option value="15">15 seconds</option>
            <option value="60">minute</option>
          </select>
        </label>
      </div>
      {error && <p class="notice bad" role="alert">{error}</p>}
      {data && (
        <>
          <Busiest id="prefixes" title="Busiest prefixes" rows={data.prefixes ?? []} columns={columns} heads={["Resource", "Namespace", "Prefix"]} name={(p) => [p.resource ?? "–", p.namespace ?? "–", p.prefix || "(no folder, or everything)"]} />
          <Busiest id="clients" title="Busiest clients" rows={data.clients ?? []} columns={ofClients} heads={["Address", "User", "Certificate", "User agent"]} name={(c) => [c.address, c.user ?? "–", c.certificate ?? "–", c.user_agent ?? "–"]} />
        </>
      )}
      {!data && !error && <p class="muted">Loading…</p>}
    </>
  );
}

export function Closed({ why }: { why: string }) {
  return <p class="notice" role="status">{why}</p>;
}

function Busiest<T extends Activity>({ id, title, rows, columns, heads, name }: { id: string; title: string; rows: T[]; columns: Column[]; heads: string[]; name: (row: T) => string[] }) {
  const [by, setBy] = useState<keyof Activity | "">("");
  const sorted = by ? [...rows].sort((a, b) => b[by] - a[by]) : rows;
  return (
    <section class="card">
      <h2 id={id}>{title}</h2>
      <div class="scroll" role="region" aria-labelledby={id} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {heads.map((h) => (
                <th scope="col">{h}</th>
              ))}
              {columns.map(([field, label]) => (
                <th scope="col" class="number" aria-sort={by === field ? "descending" : undefined}>
                  <button type="button" class="sort" onClick={() => setBy(by === field ? "" : field)}>
                    {label}
                    {by === field ? " ↓" : ""}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.map((row) => {
              const names = name(row);
              return (
                <tr key={names.join("\n")}>
                  {names.map((n, i) => (i === 0 ? <th scope="row"><bdi>{n}</bdi></th> : <td class={i === names.length - 1 ? "wide widest" : "wide"}><bdi>{n}</bdi></td>))}
                  {columns.map(([field, , form]) => (
                    <td class={field === "errors" && row.errors > 0 ? "number bad" : "number"}>{row[field] ? form(row[field]) : "·"}</td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {rows.length === 0 && <p class="muted">Nothing was asked for in this time.</p>}
    </section>
  );
}
