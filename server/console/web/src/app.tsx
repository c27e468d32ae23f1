import { useEffect, useRef, useState } from "preact/hooks";
import { get, logIn, loggedIn, logOut, whenLoginIsNeeded, type About } from "./api";
import { Cluster } from "./cluster";
import { Keys } from "./keys";
import { Overview } from "./overview";
import { applyTheme, savedTheme, type Theme } from "./theme";
import { Usage } from "./usage";
import { useRoute } from "./use";

const views = [
  ["overview", "Overview"],
  ["cluster", "Cluster"],
  ["usage", "Who asks"],
  ["keys", "Keys"],
] as const;

export function App() {
  const [about, setAbout] = useState<About>();
  const [error, setError] = useState("");
  const [login, setLogin] = useState(false);
  const [view, query] = useRoute();
  const main = useRef<HTMLElement>(null);

  const ask = async () => {
    try {
      const answer = await get<About>("about");
      setAbout(answer);
      setLogin(answer.login ?? false);
      setError("");
      return !answer.starting;
    } catch (e) {
      setError((e as Error).message);
      return false;
    }
  };
  useEffect(() => {
    whenLoginIsNeeded(() => setLogin(true));
    let timer = 0;
    const again = async () => {
      if (!(await ask())) timer = window.setTimeout(again, 1000);
    };
    void again();
    return () => clearTimeout(timer);
  }, []);

  const title = views.find(([id]) => id === view)?.[1] ?? "Overview";
  useEffect(() => {
    document.title = `${title} – ${about?.name ?? "zkine"} – zkine`;
  }, [title, about?.name]);

  let body;
  if (!about) body = error ? <p class="notice bad" role="alert">{error}</p> : <p class="muted">Loading…</p>;
  else if (about.starting) body = <p class="notice" role="status">{about.starting}</p>;
  else if (login) body = <Login done={ask} />;
  else if (view === "cluster") body = <Cluster />;
  else if (view === "usage") body = <Usage about={about} />;
  else if (view === "keys") body = <Keys about={about} query={query} />;
  else body = <Overview />;

  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current?.focus())}>
        Skip to the content
      </a>
      <header>
        <span class="brand">
          <img src="./icon.svg" alt="" width="22" height="22" /> zkine
        </span>
        <nav aria-label="Views">
          {views.map(([id, name]) => (
            <a href={`#/${id}`} aria-current={title === name ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <span class="who">
          {about && (
            <span class="member" title={`zkine ${about.version}`}>
              {about.name} <span class="muted">{about.version}</span>
            </span>
          )}
          {loggedIn() && (
            <button type="button" onClick={() => (logOut(), setLogin(true))}>
              Log out
            </button>
          )}
          <ThemeSwitch />
        </span>
      </header>
      <main id="main" ref={main} tabIndex={-1} aria-label={title}>
        {body}
      </main>
    </>
  );
}

function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(savedTheme);
  return (
    <label class="theme">
      <span class="hidden">Theme</span>
      <select
        value={theme}
        onChange={(e) => {
          const chosen = e.currentTarget.value as Theme;
          applyTheme(chosen);
          setTheme(chosen);
          dispatchEvent(new Event("theme"));
        }}
      >
        <option value="system">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

function Login({ done }: { done: () => Promise<unknown> }) {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useEffect(() => name.current?.focus(), []);
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setError("");
    try {
      await logIn(name.current!.value, password.current!.value);
      await done();
    } catch (e) {
      setError((e as Error).message);
      password.current!.value = "";
      password.current!.focus();
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="login card" onSubmit={submit}>
      <h1>Log in</h1>
      <p class="muted">Users count on this cluster. What you see is what your user may read.</p>
      <label>
        User
        <input ref={name} name="username" autocomplete="username" required />
      </label>
      <label>
        Password
        <input ref={password} name="password" type="password" autocomplete="current-password" required />
      </label>
      {error && <p class="notice bad" role="alert">{error}</p>}
      <button type="submit" class="primary" disabled={busy}>
        {busy ? "Logging in…" : "Log in"}
      </button>
    </form>
  );
}
