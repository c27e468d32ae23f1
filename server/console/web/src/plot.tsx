import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Samples } from "./api";
import { withUnit } from "./format";

const height = 150;
const shortest = 60; // seconds that are shown at least
const few = 5; // samples that are shown as points, too: a line needs two
const powers = Array.from({ length: 50 }, (_, i) => 2 ** i);

function colours(): { lines: string[]; text: string; grid: string } {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return { lines: [1, 2, 3, 4, 5, 6].map((n) => of(`--line${n}`)), text: of("--muted"), grid: of("--border") };
}

// useThemeChange counts changes of the theme, which a canvas does not follow by itself.
function useThemeChange(): number {
  const [n, setN] = useState(0);
  useEffect(() => {
    const changed = () => setN((n) => n + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", changed);
    addEventListener("theme", changed);
    return () => {
      system.removeEventListener("change", changed);
      removeEventListener("theme", changed);
    };
  }, []);
  return n;
}

export function Plot({ title, samples, lines }: { title: string; samples: Samples; lines: number[] }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [under, setUnder] = useState<number | null>(null);
  const theme = useThemeChange();
  const unit = samples.lines[lines[0]].unit;
  const shown = lines.join();
  const c = colours();
  const data = [samples.times.map((t) => t / 1000), ...lines.map((i) => samples.values[i])] as uPlot.AlignedData;

  useEffect(() => {
    const at = box.current!;
    const axis = { stroke: c.text, grid: { stroke: c.grid, width: 1 }, ticks: { stroke: c.grid, size: 4, width: 1 }, font: "11px system-ui, sans-serif" };
    plot.current = new uPlot(
      {
        width: at.clientWidth,
        height,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 }, sync: { key: "console" } },
        padding: [8, 24, 0, 0],
        scales: { x: { range: (_, min, max) => [Math.min(min, max - shortest), max] }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
        axes: [
          { ...axis, size: 24, gap: 2, space: 70, values: (_, splits) => splits.map((s) => new Date(s * 1000).toLocaleTimeString("en-GB")) },
          { ...axis, size: 64, space: 28, incrs: unit.startsWith("bytes") ? powers : undefined, values: (_, splits) => splits.map((v) => withUnit(v, unit)) },
        ],
        series: [{}, ...lines.map((i, n) => ({ label: samples.lines[i].label, stroke: c.lines[n % c.lines.length], width: 1.5, spanGaps: true, points: { show: (u: uPlot) => u.data[0].length < few, size: 4 } }))],
        hooks: { setCursor: [(u) => setUnder(u.cursor.idx ?? null)] },
      },
      data,
      at,
    );
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: at.clientWidth, height }));
    resized.observe(at);
    return () => {
      resized.disconnect();
      plot.current?.destroy();
    };
  }, [shown, theme]);
  useEffect(() => plot.current?.setData(data), [samples]);

  const at = under !== null && under < samples.times.length ? under : samples.times.length - 1;
  const values = lines.map((i) => withUnit(samples.values[i][at], unit));
  const spoken = `${title}: ${lines.map((i, n) => `${samples.lines[i].label} ${values[n]}`).join(", ")}`;
  return (
    <section class="card plot" aria-label={title}>
      <h2>{title}</h2>
      <div ref={box} class="canvas" role="img" aria-label={spoken} />
      <ul class="legend">
        {lines.map((i, n) => (
          <li>
            <svg width="10" height="10" aria-hidden="true">
              <rect width="10" height="10" rx="2" fill={c.lines[n % c.lines.length]} />
            </svg>
            {samples.lines[i].label} <b>{values[n]}</b>
          </li>
        ))}
      </ul>
    </section>
  );
}
