// What the server answers; server/console has the same in Go.
export interface About {
  name: string;
  version: string;
  starting?: string;
  login?: boolean;
  closed?: string;
}
export interface Status {
  member: string;
  revision: number;
  size: number;
  in_use: number;
  quota: number;
  index: string;
  applied: string;
  behind: number;
  term: number;
  keeper?: string;
  errors: string[];
  members: { id: string; name: string; client_urls: string[] }[];
}
export interface EnsembleServer {
  address: string;
  error?: string;
  mode?: string;
  version?: string;
  answered_ms: number;
  latency_min_ms: number;
  latency_avg_ms: number;
  latency_max_ms: number;
  connections: number;
  outstanding: number;
  znodes: number;
  zxid?: string;
}
export interface Line {
  panel: string;
  label: string;
  unit: string;
}
export interface Samples {
  lines: Line[];
  times: number[];
  values: (number | null)[][];
}
export interface Entry {
  key: string;
  name: string;
  count?: number;
  revision?: number;
  version?: number;
  lease?: number;
}
export interface Page {
  count: number;
  revision: number;
  entries: Entry[];
  next?: string;
}
export interface Found {
  entries: Entry[];
  searched: number;
  next?: string;
}
export interface Version {
  key: string;
  created: number;
  modified: number;
  version: number;
  lease?: number;
  bytes: number;
  deleted?: boolean;
  format: string;
  api_version?: string;
  kind?: string;
  namespace?: string;
  name?: string;
  text: string;
  yaml?: boolean;
  masked?: number;
  truncated?: boolean;
  note?: string;
}
export interface Past {
  versions: Version[];
  next?: number;
  compacted?: boolean;
  note?: string;
}
export interface Change {
  key: string;
  revision: number;
  deleted?: boolean;
  created?: boolean;
  version?: number;
  lease?: number;
  bytes?: number;
}
export interface Changes {
  changes: Change[];
  left?: number;
  revision: number;
}

export class Refused extends Error {
  constructor(
    readonly code: number,
    text: string,
  ) {
    super(text);
  }
}

// The token of a login lives as long as the page: it is stored nowhere else.
let token = "";
let onLogin: () => void = () => {};

export const whenLoginIsNeeded = (f: () => void): void => {
  onLogin = f;
};
export const loggedIn = (): boolean => token !== "";
export const logOut = (): void => {
  token = "";
};

function headers(): HeadersInit {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  let text = response.statusText;
  try {
    text = ((await response.json()) as { error?: string }).error ?? text;
  } catch {
    // what stands between may answer with anything
  }
  if (response.status === 401) {
    token = "";
    onLogin();
  }
  throw new Refused(response.status, text);
}

async function ask(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (e) {
    if (init.signal?.aborted) throw e;
    throw new Refused(0, "zkine does not answer");
  }
  return checked(response);
}

export type Parameters = Record<string, string | number | undefined>;

function url(name: string, parameters: Parameters): string {
  const query = new URLSearchParams();
  for (const [k, v] of Object.entries(parameters)) {
    if (v !== undefined && v !== "") query.set(k, String(v));
  }
  const text = query.toString();
  return `api/${name}${text ? "?" + text : ""}`;
}

export async function get<T>(name: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  return (await ask(url(name, parameters), { headers: headers(), signal })).json();
}

export async function logIn(name: string, password: string): Promise<void> {
  const response = await ask("api/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name, password }),
  });
  token = ((await response.json()) as { token: string }).token;
}

// watch calls each with what changes until the signal ends it. It returns why the server has ended it.
export async function watch(parameters: Parameters, signal: AbortSignal, opened: () => void, each: (c: Changes) => void): Promise<string> {
  const response = await ask(url("watch", parameters), { headers: headers(), signal });
  opened();
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true });
    const events = rest.split("\n\n");
    rest = events.pop()!;
    for (const event of events) {
      const name = /^event: (.*)$/m.exec(event)?.[1];
      const data = /^data: (.*)$/m.exec(event)?.[1] ?? "{}";
      if (name === "end") return (JSON.parse(data) as { error: string }).error;
      if (name === "changes") each(JSON.parse(data) as Changes);
    }
  }
  return "the connection has ended";
}

const again = 1000; // milliseconds until a watch that has ended is opened again

// follow watches until the signal ends it, also beyond a restart of zkine. told has how it stands; opened is called each
// time, with whether changes may have been missed before.
export async function follow(parameters: Parameters, signal: AbortSignal, told: (state: string) => void, opened: (missed: boolean) => void, each: (c: Changes) => void): Promise<void> {
  for (let missed = false; !signal.aborted; missed = true) {
    let why: string;
    try {
      why = await watch(parameters, signal, () => opened(missed), each);
    } catch (e) {
      if (signal.aborted) return;
      why = e instanceof Refused ? e.message : "the connection has ended";
      if (e instanceof Refused && e.code >= 400 && e.code < 500) return told(why);
    }
    told(`Trying again, as ${why}`);
    await new Promise((done) => setTimeout(done, again));
  }
}
