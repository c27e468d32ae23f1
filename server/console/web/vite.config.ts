import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

// What the page is built from. A test of zkine's makes the same hash of it, and compares (server/console/assets_test.go).
const sources = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "public", "src"];

function files(name: string): string[] {
  return statSync(name).isDirectory() ? readdirSync(name).flatMap((child) => files(join(name, child))) : [name];
}

function hashOfSources(): string {
  const hash = createHash("sha256");
  for (const name of sources.flatMap(files).sort()) {
    hash.update(`${name}\n${createHash("sha256").update(readFileSync(name)).digest("hex")}\n`);
  }
  return hash.digest("hex");
}

// Names are the same in each build, so that a change of the page is a change of files, and nothing but that. Browsers ask
// whether a file has changed.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    outDir: "dist",
    modulePreload: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 400,
    rollupOptions: {
      output: { entryFileNames: "assets/[name].js", chunkFileNames: "assets/[name].js", assetFileNames: "assets/[name][extname]" },
    },
  },
  plugins: [
    {
      name: "hash-of-sources",
      generateBundle() {
        this.emitFile({ type: "asset", fileName: "sources.sha256", source: hashOfSources() + "\n" });
      },
    },
  ],
});
