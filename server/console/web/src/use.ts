import { useEffect, useRef, useState } from "preact/hooks";
import { get, type Parameters } from "./api";

export interface Answer<T> {
  data?: T;
  error?: string;
}

// usePoll asks again and again, the next time so many milliseconds after each answer.
export function usePoll<T>(name: string, parameters: Parameters, every: number): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>({});
  const asked = JSON.stringify(parameters);
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const ask = async () => {
      try {
        const data = await get<T>(name, JSON.parse(asked) as Parameters, stop.signal);
        setAnswer({ data });
      } catch (e) {
        if (stop.signal.aborted) return;
        setAnswer((before) => ({ data: before.data, error: (e as Error).message }));
      }
      timer = window.setTimeout(ask, every);
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [name, asked, every]);
  return answer;
}

// useLatest is a function that stays the same and calls the newest.
export function useLatest<A extends unknown[], R>(f: (...args: A) => R): (...args: A) => R {
  const latest = useRef(f);
  latest.current = f;
  return useRef((...args: A) => latest.current(...args)).current;
}

// useRoute is the view and what it shows, as the address says after #.
export function useRoute(): [string, URLSearchParams] {
  const read = (): [string, URLSearchParams] => {
    const [view, query] = location.hash.replace(/^#\/?/, "").split("?");
    return [view || "overview", new URLSearchParams(query ?? "")];
  };
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const changed = () => setRoute(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
