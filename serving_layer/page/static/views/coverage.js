// Coverage: which sessions have been loaded from whom, which instruments lack sessions, and what looks wrong.
import { ask } from "../asking.js";
import { h, link, rowsOf, table } from "../dom.js";
import { count, counted } from "../words.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MOST = 200; // instruments with gaps that are shown
const MOST_GAPS = 100000; // sessions of instruments that are asked for

/** Show the coverage of a state. */
export async function show(root, { state, set, href, signal }) {
  const { rows } = await ask("/v1/coverage", { by: "month", limit: 100000 }, signal);
  if (!rows.length) {
    root.replaceChildren(h("p", { class: "empty" }, "No session has been loaded yet. ", h("code", {}, "condvest run"), " loads the sample."));
    return;
  }
  const providers = [...new Set(rows.map((row) => row.provider))];
  const parts = [legend(), ...providers.map((each) => heatmap(each, rows.filter((row) => row.provider === each), state, set))];
  root.replaceChildren(...parts);
  if (state.month) root.append(await month(state, set, signal));
  const gaps = h("section", {}, h("h2", {}, "Sessions that instruments lack"), h("p", { class: "loading" }, "Loading …"));
  const flags = h("section", {}, h("h2", {}, "What looks wrong"), h("p", { class: "loading" }, "Loading …"));
  root.append(gaps, flags);
  const chart = (symbol, session) => link(symbol, href({ view: "chart", symbol, interval: "1", bars: "60", end: session, bar: session }));
  await fill(gaps, async () => lacking(await ask("/v1/gaps", { format: "columns", limit: MOST_GAPS }, signal), state, chart), signal);
  await fill(flags, async () => wrong(await ask("/v1/quality", { limit: 1000 }, signal), chart), signal);
}

/** Put what a question gives below a heading, or say why it cannot be had. */
async function fill(section, make, signal) {
  const made = await make().catch((error) => h("p", { class: "muted" }, `${error.title ?? "Error"}: ${error.message}`));
  if (!signal.aborted) section.replaceChildren(section.firstChild, made);
}

/** Return what a cell is: whole, in part, or lacking sessions; and whether rows were refused. */
export function status(row) {
  const what = row.missing ? "missing" : row.partial ? "partial" : "complete";
  return row.refused ? `${what} refused` : what;
}

/** Return what a cell says. */
export const share = (row) => (row.complete === row.expected ? String(row.expected) : `${row.complete}/${row.expected}`);

const about = (row) =>
  `${row.provider} ${row.period}: ${row.expected} expected, ${row.complete} complete, ${row.partial} partial, ${row.missing} missing, ${count(row.bars)} bars, ${count(row.refused)} refused`;

function legend() {
  const cell = (name, text) => h("td", { class: name }, h("span", {}, text));
  return h("table", { class: "heat legend", "aria-label": "Legend" }, h("tbody", {}, h("tr", {},
    cell("complete", "complete"), cell("partial", "partial"), cell("missing", "missing"), cell("complete refused", "rows refused"))));
}

function heatmap(provider, rows, state, set) {
  const of = new Map(rows.map((row) => [row.period.slice(0, 7), row]));
  const years = [...new Set(rows.map((row) => row.period.slice(0, 4)))].sort().reverse();
  const cell = (year, at) => {
    const name = `${year}-${String(at + 1).padStart(2, "0")}`;
    const row = of.get(name);
    if (!row) return h("td", {});
    const isShown = state.month === name && state.provider === provider;
    const open = () => set(isShown ? { month: "", provider: "" } : { month: name, provider });
    return h("td", { class: status(row) }, h("button", { type: "button", title: about(row), "aria-label": about(row), "aria-pressed": String(isShown), click: open }, share(row)));
  };
  const lines = years.map((year) => h("tr", {}, h("th", { scope: "row" }, year), ...MONTHS.map((_, at) => cell(year, at))));
  const head = h("tr", {}, h("th", {}), ...MONTHS.map((month) => h("th", { scope: "col" }, month)));
  return h("section", {}, h("h2", {}, `Sessions loaded from ${provider}`), h("div", { class: "scroll", tabindex: "0" },
    h("table", { class: "heat" }, h("caption", {}, "Sessions by month, complete of expected; a month opens its sessions"), h("thead", {}, head), h("tbody", {}, ...lines))));
}

async function month({ provider, month: name }, set, signal) {
  const { rows } = await ask("/v1/coverage", { by: "session", provider, limit: 100000 }, signal);
  const within = rows.filter((row) => row.period.startsWith(name));
  return h("section", { id: "month" },
    h("h2", {}, `${provider}, ${name} `, h("button", { type: "button", click: () => set({ month: "", provider: "" }) }, "Close")),
    table("Sessions", [
      ["session", "period"],
      ["state", (row) => (row.complete ? "complete" : row.partial ? "partial" : h("span", { class: "warn" }, "missing"))],
      ["bars", (row) => count(row.bars), "number"],
      ["refused", (row) => count(row.refused), "number"],
    ], within));
}

/** Return instruments by months, the ones that lack most first. */
function lacking({ columns, next }, state, chart) {
  const rows = rowsOf(columns).filter((row) => !state.month || row.session.startsWith(state.month));
  if (!rows.length) return h("p", {}, `No instrument lacks a session between its first and its last daily bar${state.month ? ` in ${state.month}` : ""}.`);
  const by = Map.groupBy ? Map.groupBy(rows, (row) => row.symbol) : grouped(rows);
  const most = [...by].sort(([, a], [, b]) => b.length - a.length).slice(0, MOST);
  const unit = state.month ? (row) => row.session : (row) => row.session.slice(0, 7);
  return table(`${next ? "The first " : ""}${counted(rows.length, "session")} of ${counted(by.size, "instrument")}, the most first${by.size > MOST ? `; ${MOST} shown` : ""}`, [
    ["symbol", ([symbol, each]) => chart(symbol, each[0].session)],
    ["lacks", ([, each]) => count(each.length), "number"],
    ["first", ([, each]) => each[0].session],
    ["last", ([, each]) => each[each.length - 1].session],
    [state.month ? "sessions" : "by month", ([, each]) => [...grouped(each.map((row) => ({ symbol: unit(row) })))].map(([name, list]) => (list.length > 1 ? `${name} (${list.length})` : name)).join(", "), "wrap"],
  ], most);
}

function grouped(rows) {
  const by = new Map();
  for (const row of rows) by.set(row.symbol, [...(by.get(row.symbol) ?? []), row]);
  return by;
}

function wrong({ rows, next }, chart) {
  const worst = [...rows].sort((a, b) => (a.severity < b.severity ? -1 : a.severity > b.severity ? 1 : 0));
  return table(`${counted(rows.length, "flag")}${next ? ", the first ones" : ""}; errors first`, [
    ["symbol", (row) => chart(row.symbol, row.session)],
    ["session", "session"],
    ["severity", (row) => h("span", { class: row.severity === "error" ? "warn" : "" }, row.severity)],
    ["flag", "flag"],
    ["value", (row) => (row.value == null ? "" : String(Number(row.value.toPrecision(5)))), "number"],
    ["reason", "reason", "wrap"],
  ], worst, "Nothing looks wrong.");
}
