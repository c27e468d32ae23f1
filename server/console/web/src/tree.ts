import { get, Refused, type Entry, type Page } from "./api";

// Node is a key or a folder in the tree, or what stands for more of them.
export interface Node {
  kind: "folder" | "key" | "more" | "note";
  id: string;
  key: string;
  name: string;
  depth: number;
  parent?: Folder;
  entry?: Entry;
}

export interface Folder extends Node {
  kind: "folder";
  open: boolean;
  loading: boolean;
  loaded: boolean;
  children: Node[];
  next: string; // where the next page begins
  error: string;
  turn: number; // grows each time that it is read anew
}

export const isFolder = (n: Node): n is Folder => n.kind === "folder";

const pageSize = 1000;

// Tree is the part of the keys that was looked at, read page by page as it is shown.
export class Tree {
  readonly root: Folder;
  private flat: Node[] | undefined;
  private readonly stop = new AbortController();

  constructor(
    readonly prefix: string,
    private readonly changed: () => void,
  ) {
    this.root = this.folder(prefix, prefix, -1);
    this.root.open = true;
  }

  close(): void {
    this.stop.abort();
  }

  private folder(key: string, name: string, depth: number, parent?: Folder, entry?: Entry): Folder {
    return { kind: "folder", id: "f" + key, key, name, depth, parent, entry, open: false, loading: false, loaded: false, children: [], next: "", error: "", turn: 0 };
  }

  // rows are what is open, in order.
  rows(): Node[] {
    if (this.flat) return this.flat;
    const rows: Node[] = [];
    const add = (folder: Folder) => {
      for (const child of folder.children) {
        rows.push(child);
        if (isFolder(child) && child.open) add(child);
      }
      const depth = folder.depth + 1;
      if (folder.error) rows.push({ kind: "note", id: "n" + folder.key, key: folder.key, name: folder.error, depth, parent: folder });
      else if (!folder.loaded || folder.next) rows.push({ kind: "more", id: "m" + folder.key, key: folder.key, name: "Loading…", depth, parent: folder });
      else if (folder.children.length === 0) rows.push({ kind: "note", id: "n" + folder.key, key: folder.key, name: "No keys", depth, parent: folder });
    };
    add(this.root);
    this.flat = rows;
    return rows;
  }

  private touch(): void {
    this.flat = undefined;
    this.changed();
  }

  toggle(folder: Folder, open = !folder.open): void {
    if (folder.open === open) return;
    folder.open = open;
    if (folder.error) this.reset(folder);
    this.touch();
  }

  // reset forgets what a folder holds, so that it is read again.
  private reset(folder: Folder): void {
    folder.children = [];
    folder.next = folder.error = "";
    folder.loaded = folder.loading = false;
    folder.turn++;
  }

  reload(): void {
    this.reset(this.root);
    this.touch();
  }

  // more reads the next page of a folder; without one it does nothing.
  async more(folder: Folder): Promise<void> {
    if (folder.loading || (folder.loaded && !folder.next)) return;
    folder.loading = true;
    const turn = folder.turn;
    try {
      const page = await get<Page>("keys", { prefix: folder.key, from: folder.next, limit: pageSize }, this.stop.signal);
      if (folder.turn !== turn) return; // it belongs to what was forgotten
      const depth = folder.depth + 1;
      const added = page.entries.map((entry): Node =>
        entry.count !== undefined
          ? this.folder(entry.key, entry.name, depth, folder, entry)
          : { kind: "key", id: "k" + entry.key, key: entry.key, name: entry.name, depth, parent: folder, entry },
      );
      for (const child of added) folder.children.push(child);
      folder.next = page.next ?? "";
      folder.loaded = true;
      if (folder.next && this.flat) this.insert(folder, added);
      else this.flat = undefined;
      this.changed();
    } catch (e) {
      if (this.stop.signal.aborted || folder.turn !== turn) return;
      folder.error = (e as Error).message;
      if (e instanceof Refused && e.code === 403 && folder === this.root) folder.error += ": enter a prefix that you may read";
      this.touch();
    } finally {
      if (folder.turn === turn) folder.loading = false;
    }
  }

  // insert puts new rows before the one that stands for more of them: to make all rows again takes longer, the more there
  // are.
  private insert(folder: Folder, added: Node[]): void {
    const at = this.flat!.findLastIndex((row) => row.kind === "more" && row.parent === folder);
    if (at >= 0) this.flat = this.flat!.slice(0, at).concat(added, this.flat!.slice(at));
  }
}
