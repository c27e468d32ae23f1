import { structuredPatch } from "diff";
import { useMemo } from "preact/hooks";

// Diff shows what has changed between two texts, line by line.
export function Diff({ from, to, names }: { from: string; to: string; names: [string, string] }) {
  const patch = useMemo(() => structuredPatch(names[0], names[1], from, to, "", "", { context: 3, timeout: 500 }), [from, to]);
  if (from === to) return <p class="muted">What is shown of it did not change.</p>;
  if (!patch) return <p class="notice">The two differ too much to be compared line by line.</p>;
  return (
    <div class="diff" tabIndex={0} role="group" aria-label={`Changes from ${names[0]} to ${names[1]}`}>
      {patch.hunks.map((hunk) => (
        <>
          <div class="hunk">
            <span class="mark"> </span>line {hunk.newStart}
          </div>
          {hunk.lines.map((line) => {
            const kind = line[0] === "+" ? "added" : line[0] === "-" ? "removed" : "same";
            return (
              <div class={kind}>
                <span class="mark">
                  <span aria-hidden="true">{line[0]}</span>
                  {kind !== "same" && <span class="hidden">{kind}: </span>}
                </span>
                {line.slice(1)}
              </div>
            );
          })}
        </>
      ))}
    </div>
  );
}
