const prefixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

export function bytes(n: number): string {
  let i = 0;
  while (Math.abs(n) >= 1024 && i < prefixes.length - 1) {
    n /= 1024;
    i++;
  }
  return `${short(n)} ${prefixes[i]}B`;
}

export function short(n: number): string {
  const size = Math.abs(n);
  if (size >= 1e9) return `${(n / 1e9).toFixed(1)}G`;
  if (size >= 1e6) return `${(n / 1e6).toFixed(1)}M`;
  if (size >= 1e4) return `${(n / 1e3).toFixed(1)}k`;
  if (size >= 100 || Number.isInteger(n)) return n.toFixed(0);
  if (size >= 10) return n.toFixed(1);
  return n.toFixed(size >= 1 ? 2 : size >= 0.01 || size === 0 ? 2 : 3);
}

export function seconds(n: number): string {
  if (n >= 1) return `${short(n)} s`;
  if (n >= 1e-3) return `${short(n * 1e3)} ms`;
  return n === 0 ? "0" : `${short(n * 1e6)} µs`;
}

// withUnit writes a value of a plot; see the units of series in series.go.
export function withUnit(n: number | null | undefined, unit: string): string {
  if (n === null || n === undefined || Number.isNaN(n)) return "–";
  switch (unit) {
    case "bytes":
      return bytes(n);
    case "bytes/s":
      return `${bytes(n)}/s`;
    case "s":
      return seconds(n);
    case "/s":
      return `${short(n)}/s`;
  }
  return short(n);
}

export const count = (n: number): string => n.toLocaleString("en-GB");
