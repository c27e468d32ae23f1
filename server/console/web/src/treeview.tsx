import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { count } from "./format";
import { isFolder, type Node, type Tree } from "./tree";
import { useLatest } from "./use";

const rowHeight = 26;
const around = 12; // rows beyond what is seen

interface Props {
  tree: Tree;
  version: number; // changes when the tree does
  selected: string;
  choose: (node: Node) => void;
}

// TreeView shows the rows that are in sight only. One element has the focus; aria-activedescendant says which row is meant.
export function TreeView({ tree, version, selected, choose }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [active, setActive] = useState("");
  const rows = tree.rows();

  useLayoutEffect(() => {
    const at = box.current!;
    const resized = new ResizeObserver(() => setHeight(at.clientHeight));
    resized.observe(at);
    return () => resized.disconnect();
  }, []);
  useEffect(() => {
    setActive("");
    box.current!.scrollTop = 0;
  }, [tree]);

  const first = Math.max(0, Math.floor(top / rowHeight) - around);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + around);
  // What is in sight and not read yet is read.
  useEffect(() => {
    for (let i = first; i < last; i++) {
      const row = rows[i];
      if (row.kind === "more") void tree.more(row.parent!);
    }
  }, [tree, version, first, last]);

  const hint = useRef(0);
  if (rows[hint.current]?.id !== active) hint.current = Math.max(0, active ? rows.findIndex((r) => r.id === active) : 0);
  const at = hint.current;
  const show = (i: number) => {
    const view = box.current!;
    const y = i * rowHeight;
    if (y < view.scrollTop) view.scrollTop = y;
    else if (y + rowHeight > view.scrollTop + view.clientHeight) view.scrollTop = y + rowHeight - view.clientHeight;
  };
  const go = (i: number) => {
    i = Math.max(0, Math.min(rows.length - 1, i));
    if (rows[i]) setActive(rows[i].id);
    show(i);
  };
  const act = (row: Node) => {
    if (isFolder(row)) tree.toggle(row);
    else if (row.kind === "note" && row.parent!.error) (row.parent === tree.root ? tree.reload() : (tree.toggle(row.parent!, false), tree.toggle(row.parent!, true)));
    if (isFolder(row) || row.kind === "key") choose(row);
  };
  const onKey = useLatest((e: KeyboardEvent) => {
    const row = rows[at];
    const page = Math.max(1, Math.floor(height / rowHeight) - 1);
    if (!row || e.ctrlKey || e.altKey || e.metaKey) return;
    switch (e.key) {
      case "ArrowDown":
        go(active ? at + 1 : at);
        break;
      case "ArrowUp":
        go(at - 1);
        break;
      case "PageDown":
        go(at + page);
        break;
      case "PageUp":
        go(at - page);
        break;
      case "Home":
        go(0);
        break;
      case "End":
        go(rows.length - 1);
        break;
      case "ArrowRight":
        if (isFolder(row)) row.open ? go(at + 1) : tree.toggle(row, true);
        break;
      case "ArrowLeft":
        if (isFolder(row) && row.open) tree.toggle(row, false);
        else if (row.parent && row.parent !== tree.root) go(rows.indexOf(row.parent));
        break;
      case "Enter":
      case " ":
        act(row);
        break;
      default:
        return;
    }
    e.preventDefault();
  });

  const id = (row: Node) => "row-" + row.id;
  const inSight = at >= first && at < last;
  return (
    <div
      ref={box}
      class="tree"
      role="tree"
      aria-label="Keys"
      tabIndex={0}
      aria-activedescendant={active && inSight ? id(rows[at]) : undefined}
      onKeyDown={onKey}
      onFocus={() => active || (rows.length > 0 && setActive(rows[0].id))}
      onScroll={(e) => setTop(e.currentTarget.scrollTop)}
    >
      <div class="rows" role="none" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, last).map((row, n) => (
          <div
            key={row.id}
            id={id(row)}
            role="treeitem"
            aria-level={row.depth + 1}
            aria-expanded={isFolder(row) ? row.open : undefined}
            aria-selected={row.kind === "key" ? row.key === selected : undefined}
            aria-disabled={row.kind === "more" || row.kind === "note" ? true : undefined}
            class={`row ${row.kind}${row.id === active ? " active" : ""}${row.kind === "key" && row.key === selected ? " selected" : ""}`}
            style={{ top: `${(first + n) * rowHeight}px`, paddingLeft: `${8 + row.depth * 16}px` }}
            onClick={() => (setActive(row.id), act(row))}
            title={row.kind === "key" || row.kind === "folder" ? row.key : row.name}
          >
            <span class="sign" aria-hidden="true">{isFolder(row) ? (row.open ? "▾" : "▸") : ""}</span>
            <bdi class="name">{row.name}</bdi>
            {isFolder(row) && <span class="count">{count(row.entry?.count ?? 0)}</span>}
          </div>
        ))}
      </div>
    </div>
  );
}
