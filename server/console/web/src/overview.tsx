import { useEffect, useState } from "preact/hooks";
import { get, type Samples, type Status } from "./api";
import { bytes, count } from "./format";
import { Plot } from "./plot";
import { usePoll } from "./use";

const keep = 15 * 60 * 1000; // milliseconds

// merged adds newer samples to older ones, and drops what is too old to be shown.
function merged(old: Samples | undefined, more: Samples): Samples {
  // A zkine that was started anew may have other lines.
  if (!old || JSON.stringify(old.lines) !== JSON.stringify(more.lines)) return more;
  const times = old.times.concat(more.times);
  let drop = times.findIndex((t) => t >= times[times.length - 1] - keep);
  if (drop < 0) drop = 0;
  return { lines: more.lines, times: times.slice(drop), values: old.values.map((v, i) => v.concat(more.values[i]).slice(drop)) };
}

// What was sampled is kept while another view is shown.
let kept: Samples | undefined;

function useSamples(): [Samples | undefined, string] {
  const [samples, setSamples] = useState(kept);
  const [error, setError] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const ask = async () => {
      try {
        const since = kept?.times.at(-1);
        const more = await get<Samples>("samples", { since }, stop.signal);
        kept = merged(kept, more);
        setSamples(kept);
        setError("");
      } catch (e) {
        if (stop.signal.aborted) return;
        setError((e as Error).message);
      }
      timer = window.setTimeout(ask, 2000);
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, []);
  return [samples, error];
}

export function Overview() {
  const [samples, error] = useSamples();
  const status = usePoll<Status>("status", {}, 2000);
  const panels = new Map<string, number[]>();
  samples?.lines.forEach((line, i) => {
    if (samples.values[i].some((v) => v !== null)) panels.set(line.panel, [...(panels.get(line.panel) ?? []), i]);
  });
  return (
    <>
      <h1 class="hidden">Overview</h1>
      {(error || status.error) && <p class="notice bad" role="alert">{error || status.error}</p>}
      {status.data && <Tiles status={status.data} />}
      <div class="plots">
        {samples && [...panels].map(([panel, lines]) => <Plot key={panel} title={panel} samples={samples} lines={lines} />)}
      </div>
      {samples && panels.size === 0 && <p class="muted">The first samples come within seconds.</p>}
    </>
  );
}

function Tiles({ status }: { status: Status }) {
  const keeper = status.members.find((m) => m.id === status.keeper);
  const used = status.quota > 0 ? ` of ${bytes(status.quota)}` : "";
  return (
    <>
      {!status.keeper && <p class="notice bad" role="alert">ZooKeeper has no quorum, or is out of reach: nothing is written. What is shown is what this zkine knows.</p>}
      {status.errors
        .map((e) => e.replace(/^etcdserver: /, ""))
        .filter((e) => status.keeper || e !== "no leader")
        .map((e) => (
          <p class="notice bad" role="alert">{e}</p>
        ))}
      <dl class="tiles">
        <Tile name="Serving" value={status.keeper ? "yes" : "no leader"} bad={!status.keeper} note={status.keeper ? `keeper ${keeper?.name ?? status.keeper}` : "serializable reads only"} />
        <Tile name="Revision" value={count(status.revision)} note={`term ${status.term}`} />
        <Tile name="Behind the log" value={count(status.behind)} bad={status.behind > 1000} note={`slots; at ${status.applied}`} />
        <Tile name="Size in ZooKeeper" value={bytes(status.size)} bad={status.quota > 0 && status.size > 0.9 * status.quota} note={`${bytes(status.in_use)} live${used}`} />
        <Tile name="Members" value={count(status.members.length)} note={status.members.map((m) => m.name).join(", ")} />
      </dl>
    </>
  );
}

function Tile({ name, value, note, bad }: { name: string; value: string; note?: string; bad?: boolean }) {
  return (
    <div class={bad ? "tile bad" : "tile"}>
      <dt>{name}</dt>
      <dd>
        <strong>{value}</strong>
        <span class="muted" title={note}>{note}</span>
      </dd>
    </div>
  );
}
