import { useEffect, useState } from "preact/hooks";
import { follow, get, Refused, type Past, type Version } from "./api";
import { Diff } from "./diff";
import { bytes, count } from "./format";

const long = 150; // characters of a name that may have to be scrolled

interface Props {
  name: string;
  close: () => void;
}

// KeyView shows one key: its value, which follows its changes, or its history.
export function KeyView({ name, close }: Props) {
  const [tab, setTab] = useState<"value" | "history">("value");
  const [managed, setManaged] = useState(false);
  const [changes, setChanges] = useState(0);

  useEffect(() => {
    const stop = new AbortController();
    const changed = () => setChanges((n) => n + 1);
    const ignore = () => {}; // what is shown stays as it is
    void follow({ key: name }, stop.signal, ignore, (missed) => missed && changed(), (c) => c.changes.length > 0 && changed());
    return () => stop.abort();
  }, [name]);

  const tabs = [
    ["value", "Value"],
    ["history", "History"],
  ] as const;
  return (
    <article class="key">
      <div class="bar keybar">
        <h2 class="mono keyname" tabIndex={name.length > long ? 0 : undefined}>
          <bdi>{name}</bdi>
        </h2>
        <button type="button" onClick={close} aria-label="Close the key">
          ✕
        </button>
      </div>
      <div class="bar">
        <div role="tablist" aria-label="What to show">
          {tabs.map(([id, label]) => (
            <button
              type="button"
              role="tab"
              id={`tab-${id}`}
              aria-controls="tabpanel"
              aria-selected={tab === id}
              tabIndex={tab === id ? 0 : -1}
              onClick={() => setTab(id)}
              onKeyDown={(e) => {
                if (e.key !== "ArrowLeft" && e.key !== "ArrowRight") return;
                const other = id === "value" ? "history" : "value";
                setTab(other);
                document.getElementById(`tab-${other}`)?.focus();
              }}
            >
              {label}
            </button>
          ))}
        </div>
        <label class="check">
          <input type="checkbox" checked={managed} onChange={(e) => setManaged(e.currentTarget.checked)} /> managed fields
        </label>
      </div>
      <div id="tabpanel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === "value" ? <Value name={name} managed={managed} changes={changes} /> : <History name={name} managed={managed} changes={changes} />}
      </div>
    </article>
  );
}

interface Shown {
  name: string;
  managed: boolean;
  changes: number;
}

function Value({ name, managed, changes }: Shown) {
  const [value, setValue] = useState<Version>();
  const [error, setError] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    get<Version>("value", { key: name, managed: managed ? 1 : undefined }, stop.signal)
      .then((v) => (setValue(v), setError("")))
      .catch((e: Error) => {
        if (stop.signal.aborted) return;
        setValue(undefined);
        setError(e instanceof Refused && e.code === 404 ? "The key does not exist any more. Its history may." : e.message);
      });
    return () => stop.abort();
  }, [name, managed, changes]);
  if (error) return <p class="notice" role="status">{error}</p>;
  if (!value) return <p class="muted">Loading…</p>;
  return (
    <>
      <Facts v={value} />
      <Text v={value} />
    </>
  );
}

function Facts({ v }: { v: Version }) {
  const what = [v.kind && `${v.kind} (${v.api_version})`, v.format].filter(Boolean).join(" · ");
  return (
    <>
      <p class="facts">
        <span>{what}</span>
        <span>{bytes(v.bytes)}</span>
        <span>version {count(v.version)}</span>
        <span>changed at {count(v.modified)}</span>
        <span>created at {count(v.created)}</span>
        {v.lease ? <span>lease {BigInt.asUintN(64, BigInt(v.lease)).toString(16)}</span> : null}
      </p>
      <Notes v={v} />
    </>
  );
}

function Notes({ v }: { v: Version }) {
  return (
    <>
      {v.masked ? <p class="notice">Data of Secrets are masked: they do not leave zkine. Equal data have equal marks.</p> : null}
      {v.note && <p class="notice">{v.note}</p>}
      {v.truncated && <p class="notice">It is longer than what is shown.</p>}
    </>
  );
}

function Text({ v }: { v: Version }) {
  if (!v.text) return v.masked || v.note ? null : <p class="muted">The value is empty.</p>;
  return (
    <pre class={v.format === "text" ? "text wrapped" : "text"} tabIndex={0} aria-label="The value">
      {v.text}
    </pre>
  );
}

function History({ name, managed, changes }: Shown) {
  const [past, setPast] = useState<Past>();
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const read = async (before: number | undefined, old: Version[], signal?: AbortSignal) => {
    setBusy(true);
    try {
      const part = await get<Past>("history", { key: name, before, managed: managed ? 1 : undefined }, signal);
      setPast({ ...part, versions: old.concat(part.versions) });
      setError("");
    } catch (e) {
      if (!signal?.aborted) setError((e as Error).message);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    const stop = new AbortController();
    void read(undefined, [], stop.signal);
    return () => stop.abort();
  }, [name, managed, changes]);
  if (error) return <p class="notice bad" role="alert">{error}</p>;
  if (!past) return <p class="muted">Loading…</p>;
  return (
    <>
      <ol class="history">
        {past.versions.map((v, i) => (
          <Revision key={v.modified} v={v} before={past.versions[i + 1]} open={i < 2} />
        ))}
      </ol>
      {past.versions.length === 0 && <p class="muted">No revisions of it are left.</p>}
      {past.note && <p class="notice">{past.note}</p>}
      {past.compacted && <p class="muted">Earlier revisions were compacted away.</p>}
      {past.next ? (
        <button type="button" disabled={busy} onClick={() => void read(past.next, past.versions)}>
          Earlier revisions
        </button>
      ) : null}
    </>
  );
}

function Revision({ v, before, open }: { v: Version; before?: Version; open: boolean }) {
  const what = v.deleted ? "deleted" : v.version === 1 ? "created" : `version ${count(v.version)}`;
  return (
    <li>
      <details open={open}>
        <summary>
          <b>Revision {count(v.modified)}</b> <span class={v.deleted ? "bad" : "muted"}>{what}</span>
        </summary>
        {v.deleted ? null : (
          <>
            <Notes v={v} />
            {before && !before.deleted && v.version > 1 ? <Diff from={before.text} to={v.text} names={[`revision ${before.modified}`, `revision ${v.modified}`]} /> : <Text v={v} />}
          </>
        )}
      </details>
    </li>
  );
}
