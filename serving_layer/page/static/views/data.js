// Data: which version is served, what is published, how to read it elsewhere, and what the server may be asked.
import { ask, pathOf } from "../asking.js";
import { h, link, table } from "../dom.js";
import { bytes, count, instant } from "../words.js";

/** Show the data of a state. */
export async function show(root, { state, set, href, signal }) {
  const [version, published, api] = await Promise.all([
    ask("/v1/version", {}, signal),
    ask("/v1/datasets", {}, signal).catch((error) => (error.status === 501 ? { detail: error.message } : Promise.reject(error))),
    ask("/openapi.json", {}, signal),
  ]);
  const through = Object.entries(version.loaded_through ?? {}).map(([provider, session]) => `${provider} through ${session}`);
  root.replaceChildren();
  root.append(...[
    h("h2", {}, "Version"),
    h("p", {}, h("code", {}, version.version)),
    through.length > 0 && h("p", {}, `Loaded: ${through.join(", ")}.`),
    h("h2", {}, "Published files"),
    published.detail ? h("p", { class: "muted" }, published.detail) : await files(published, state, set, signal),
    h("h2", {}, "Reading elsewhere"),
    ...snippets(location.origin).map(([name, text]) => h("section", {}, h("h3", {}, name), h("pre", { tabindex: "0" }, text))),
    h("h2", {}, "What this server answers"),
    h("p", {}, "All of it in OpenAPI: ", h("a", { href: "/openapi.json" }, "/openapi.json"), ". ", link("Back to the chart", href({ view: "chart" }))),
    ...Object.entries(api.paths).map(([path, { get }]) => endpoint(path, get)),
  ].filter(Boolean));
}

async function files(published, state, set, signal) {
  const names = published.datasets.map((each) => (typeof each === "string" ? { name: each } : each));
  const open = (name) => h("button", { type: "button", click: () => set({ dataset: state.dataset === name ? "" : name }) }, name);
  const section = h("section", {}, h("p", {}, `Version ${published.version}${published.published_at ? `, published ${instant(published.published_at)}` : ""}`),
    table("Data sets; a name opens its files", [
      ["data set", (row) => open(row.name)],
      ["rows", (row) => count(row.rows), "number"],
      ["files", (row) => count(Array.isArray(row.files) ? row.files.length : row.files), "number"],
      ["size", (row) => (row.bytes == null ? "" : bytes(row.bytes)), "number"],
    ], names));
  if (!state.dataset) return section;
  const { files: parts } = await ask(`/v1/datasets/${encodeURIComponent(state.dataset)}`, {}, signal);
  section.append(table(`Files of ${state.dataset}`, [
    ["file", (row) => h("a", { href: row.url }, row.url.split("/").pop()), "wrap"],
    ["rows", (row) => count(row.rows), "number"],
    ["size", (row) => (row.bytes == null ? "" : bytes(row.bytes)), "number"],
    ["SHA-256", "sha256", "wrap"],
  ], parts));
  return section;
}

/** Return how other programs read from this server: [name, text]. */
function snippets(origin) {
  const csv = origin + pathOf("/v1/bars", { interval: 13, format: "csv" });
  return [
    ["Python", `import condvest\n\ntable = condvest.bars("AAPL", interval=13, source="${origin}")`],
    ["pandas", `import pandas as pd\n\nframe = pd.read_csv("${csv}", parse_dates=["first_session", "last_session"])`],
    ["Shell", `curl '${csv}' -o bars_13.csv`],
  ];
}

function endpoint(path, get) {
  const rows = (get.parameters ?? []).map((each) => ({ ...each, kind: kind(each.schema ?? {}) }));
  return h("details", {}, h("summary", {}, h("code", {}, path), ` ${get.summary ?? ""}`), rows.length > 0 && table("Parameters", [
    ["name", (row) => h("code", {}, row.name)],
    ["", (row) => (row.required ? "needed" : "")],
    ["type", "kind"],
    ["default", (row) => (row.schema?.default == null ? "" : String(row.schema.default))],
    ["meaning", (row) => row.description ?? "", "wrap"],
  ], rows));
}

function kind(schema) {
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) return schema.anyOf.map(kind).filter((each) => each !== "null").join(" | ");
  return schema.format ?? (schema.type === "array" ? `${kind(schema.items ?? {})}, repeated` : (schema.type ?? ""));
}
