import { useEffect, useState } from "preact/hooks";
import { follow, type Change } from "./api";
import { bytes, count } from "./format";

const most = 500; // changes that are shown

interface Props {
  prefix: string;
  open: (key: string) => void;
  close: () => void;
}

// Live shows what changes below a prefix, as it changes.
export function Live({ prefix, open, close }: Props) {
  const [changes, setChanges] = useState<Change[]>([]);
  const [seen, setSeen] = useState(0);
  const [left, setLeft] = useState(0);
  const [state, setState] = useState("Connecting…");
  const [paused, setPaused] = useState(false);

  useEffect(() => {
    if (paused) return;
    setState("Connecting…");
    const stop = new AbortController();
    void follow(
      { prefix },
      stop.signal,
      setState,
      (missed) => setState(missed ? "Watching again, what changed in between is not listed" : "Watching"),
      (c) => {
        if (c.changes.length === 0) return;
        setSeen((n) => n + c.changes.length + (c.left ?? 0));
        setLeft((n) => n + (c.left ?? 0));
        setChanges((old) => c.changes.reverse().concat(old).slice(0, most));
      },
    );
    return () => stop.abort();
  }, [prefix, paused]);

  return (
    <article class="live">
      <div class="bar">
        <h2>
          Changes below <bdi class="mono">{prefix || "everything"}</bdi>
        </h2>
        <span>
          <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
            Pause
          </button>{" "}
          <button type="button" onClick={close} aria-label="Close the changes">
            ✕
          </button>
        </span>
      </div>
      <p class="muted" role="status">
        {paused ? "Paused" : state}: {count(seen)} changes{left > 0 ? `; ${count(left)} came too fast to be listed` : ""}
      </p>
      <div class="scroll" role="region" aria-label="Changes, the newest first" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">Revision</th>
              <th scope="col">What</th>
              <th scope="col">Key</th>
              <th scope="col" class="number">Version</th>
              <th scope="col" class="number">Size</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((c) => (
              <tr key={`${c.revision} ${c.key}`}>
                <td class="number">{count(c.revision)}</td>
                <td class={c.deleted ? "bad" : c.created ? "good" : ""}>{c.deleted ? "deleted" : c.created ? "created" : "changed"}</td>
                <td>
                  <button type="button" class="link mono" onClick={() => open(c.key)}>
                    <bdi>{c.key}</bdi>
                  </button>
                </td>
                <td class="number">{c.version ? count(c.version) : ""}</td>
                <td class="number">{c.bytes !== undefined ? bytes(c.bytes) : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {changes.length === 0 && <p class="muted empty">Nothing has changed since this was opened.</p>}
    </article>
  );
}
