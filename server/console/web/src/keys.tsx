import { useEffect, useRef, useState } from "preact/hooks";
import { get, type About, type Entry, type Found } from "./api";
import { count } from "./format";
import { KeyView } from "./keyview";
import { Live } from "./live";
import { Tree, type Node } from "./tree";
import { TreeView } from "./treeview";
import { Closed } from "./usage";

function address(parameters: Record<string, string>): string {
  const query = new URLSearchParams();
  for (const [k, v] of Object.entries(parameters)) if (v) query.set(k, v);
  return `#/keys?${query}`;
}

// Keys is the browser of keys. The address has the prefix, the key and what is searched for, so that it can be kept.
export function Keys({ about, query }: { about: About; query: URLSearchParams }) {
  const prefix = query.get("prefix") ?? "";
  const key = query.get("key") ?? "";
  const text = query.get("text") ?? "";
  const live = query.get("live") ?? "";
  const [version, setVersion] = useState(0);
  const [tree, setTree] = useState<Tree>();
  const prefixField = useRef<HTMLInputElement>(null);
  const textField = useRef<HTMLInputElement>(null);
  const go = (change: Record<string, string>) => {
    location.hash = address({ prefix, key, text, live, ...change });
  };

  useEffect(() => {
    if (about.closed) return;
    const tree = new Tree(prefix, () => setVersion((n) => n + 1));
    setTree(tree);
    setVersion((n) => n + 1);
    return () => tree.close();
  }, [prefix, about.closed]);

  if (about.closed) return <Closed why={about.closed} />;
  const submit = (e: Event) => {
    e.preventDefault();
    go({ prefix: prefixField.current!.value, text: textField.current!.value, live: "" });
  };
  const choose = (node: Node) => go(node.kind === "key" ? { key: node.key, live: "" } : { live: live && node.key });
  return (
    <div class={key || live ? "keys detail" : "keys"}>
      <h1 class="hidden">Keys</h1>
      <section class="list" aria-label="Keys of the store">
        <form class="find" role="search" onSubmit={submit}>
          <label>
            <span>Prefix</span>
            <input key={"p" + prefix} ref={prefixField} name="prefix" defaultValue={prefix} placeholder="/registry/" spellcheck={false} autocomplete="off" />
          </label>
          <label>
            <span>Contains</span>
            <input key={"t" + text} ref={textField} name="text" type="search" defaultValue={text} placeholder="part of a key" spellcheck={false} autocomplete="off" />
          </label>
          <button type="submit">Find</button>
          <button type="button" onClick={() => (text ? go({ text: "" }) : tree?.reload())}>{text ? "Clear" : "Reload"}</button>
          <button type="button" aria-pressed={live !== ""} onClick={() => go({ live: live ? "" : prefix || "*", key: "" })}>Live</button>
        </form>
        {text ? <Search prefix={prefix} text={text} selected={key} choose={(k) => go({ key: k, live: "" })} /> : tree && <TreeView tree={tree} version={version} selected={key} choose={choose} />}
      </section>
      <section class="shown" aria-label={live ? "Changes" : "The chosen key"}>
        {live ? (
          <Live prefix={live === "*" ? "" : live} open={(k) => go({ key: k, live: "" })} close={() => go({ live: "" })} />
        ) : key ? (
          <KeyView key={key} name={key} close={() => go({ key: "" })} />
        ) : (
          <p class="muted empty">Choose a key to see its value and its history, or watch what changes with Live.</p>
        )}
      </section>
    </div>
  );
}

interface SearchProps {
  prefix: string;
  text: string;
  selected: string;
  choose: (key: string) => void;
}

function Search({ prefix, text, selected, choose }: SearchProps) {
  const [entries, setEntries] = useState<Entry[]>([]);
  const [searched, setSearched] = useState(0);
  const [next, setNext] = useState<string | undefined>("");
  const [state, setState] = useState<"busy" | "paused" | "done">("busy");
  const [error, setError] = useState("");
  const stop = useRef(new AbortController());

  // It goes on by itself until there is something to show.
  const more = async (from: string) => {
    setState("busy");
    const signal = stop.current.signal;
    try {
      for (let at: string | undefined = from, found = 0; at !== undefined; ) {
        const part: Found = await get<Found>("search", { prefix, text, from: at }, signal);
        setEntries((old) => old.concat(part.entries));
        setSearched((n) => n + part.searched);
        found += part.entries.length;
        at = part.next;
        setNext(at);
        if (found >= 200) break;
      }
      setState("paused");
    } catch (e) {
      if (!signal.aborted) {
        setError((e as Error).message);
        setState("done");
      }
    }
  };
  useEffect(() => {
    stop.current = new AbortController();
    setEntries([]);
    setSearched(0);
    setError("");
    void more("");
    return () => stop.current.abort();
  }, [prefix, text]);
  return (
    <div class="found">
      <p role="status" class="muted">
        {state === "busy" ? "Searching… " : ""}
        {count(entries.length)} found among {count(searched)} keys{next && state !== "busy" ? ", so far" : ""}
      </p>
      {error && <p class="notice bad" role="alert">{error}</p>}
      <ul class="results">
        {entries.map((e) => (
          <li>
            <button type="button" class={e.key === selected ? "link selected" : "link"} aria-current={e.key === selected ? "true" : undefined} onClick={() => choose(e.key)}>
              <bdi>{e.key}</bdi>
            </button>
          </li>
        ))}
      </ul>
      {next && state === "paused" && (
        <button type="button" onClick={() => void more(next)}>
          Go on
        </button>
      )}
    </div>
  );
}
