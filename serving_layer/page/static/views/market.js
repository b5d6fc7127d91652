// The market: the newest bar of each instrument beside its own past, sorted and filtered by the server.
import { ask, askColumns } from "../asking.js";
import { choice, drawn, field, h, link, table } from "../dom.js";
import { sparkline } from "../drawing/sparkline.js";
import { interval as asInterval } from "../state.js";
import { change, count, price } from "../words.js";

const LOOKED_BACK = [1, 5, 13, 34];
const SPARK = 34; // bars of a sparkline

/** Show the market of a state. */
export async function show(root, { state, set, href, signal }) {
  const interval = asInterval(state.interval);
  const asked = { interval, on: state.on, min_close: state.min_close, min_volume: state.min_volume, sort: state.sort, limit: state.rows };
  const found = await ask("/v1/screen", asked, signal);
  const sparks = new Map();
  const columns = [
    [sorter("symbol", state, set), (row) => link(row.symbol, href({ view: "chart", symbol: row.symbol, interval: state.interval }))],
    ["last 34", (row) => h("span", { "data-spark": row.symbol })],
    [sorter("close", state, set), (row) => price(row.close), "number"],
    ...LOOKED_BACK.map((bars) => [sorter(`change_${bars}`, state, set, `${bars} ${bars === 1 ? "bar" : "bars"}`), (row) => change(row[`change_${bars}`]), "number"]),
    [sorter("volume", state, set), (row) => count(row.volume), "number"],
    [sorter("volume_ratio", state, set, "× mean"), (row) => row.volume_ratio?.toFixed(2) ?? "", "number"],
    [sorter("from_high", state, set, "from high"), (row) => change(row.from_high), "number"],
    [sorter("from_low", state, set, "from low"), (row) => change(row.from_low), "number"],
    ["", (row) => (row.is_complete ? "" : "open")],
  ];
  const newest = found.rows[0]?.last_session;
  const more = found.next && h("p", {}, h("button", { type: "button", click: () => set({ rows: String(Math.min(Number(state.rows) * 4, 2000)) }) }, "Show more"));
  const caption = newest ? `Bars of ${interval} sessions whose window ends ${newest}${found.next ? `; the first ${count(found.count)}` : ""}` : "";
  root.replaceChildren(controls(state, set), table(caption, columns, found.rows, "No instrument has such a bar."), more || "");
  root.querySelector("table").addEventListener("keydown", arrows);
  await draw(root, found.rows, interval, sparks, signal);
}

/** Return a heading that sorts by its column, the other way if it does already. */
function sorter(column, state, set, text = column) {
  const isUp = state.sort === column;
  const isDown = state.sort === `-${column}`;
  const next = isDown || (column === "symbol" && !isUp) ? column : `-${column}`;
  return h("button", { type: "button", "data-sort": column, click: () => set({ sort: next }) }, text, isUp ? " \u2191" : isDown ? " \u2193" : "");
}

function controls(state, set) {
  return h(
    "form",
    { class: "controls", submit: (event) => event.preventDefault() },
    field("Sessions per bar", state.interval, { type: "number", min: "1", max: "252" }, (text) => set({ interval: String(asInterval(text)) })),
    field("On", state.on, { type: "date" }, (on) => set({ on })),
    field("Close at least", state.min_close, { type: "number", step: "any" }, (min_close) => set({ min_close })),
    field("Volume at least", state.min_volume, { type: "number", step: "any" }, (min_volume) => set({ min_volume })),
    choice("Rows", state.rows, [...new Set(["50", "200", "800", state.rows])].map((each) => [each, each]), (rows) => set({ rows })),
  );
}

/** Draw the sparklines once their closes have come; the table stands already. */
async function draw(root, rows, interval, sparks, signal) {
  if (!rows.length) return;
  const symbols = rows.map((row) => row.symbol);
  const last = rows[0].last_session;
  const start = new Date(`${last}T00:00:00Z`); // UTC on both ways: a date in, a date out
  start.setUTCDate(start.getUTCDate() - Math.ceil(SPARK * interval * 1.6) - 10);
  for (let at = 0; at < symbols.length; at += 200) {
    const asked = { symbol: symbols.slice(at, at + 200), interval, include_open: "true", start: start.toISOString().slice(0, 10), end: last, columns: "symbol,window,close" };
    const { columns } = await askColumns("/v1/bars", asked, signal);
    columns.symbol.forEach((symbol, row) => {
      const spark = sparks.get(symbol) ?? { windows: [], closes: [] };
      spark.windows.push(columns.window[row]);
      spark.closes.push(columns.close[row]);
      sparks.set(symbol, spark);
    });
  }
  const newest = Math.max(...[...sparks.values()].map(({ windows }) => windows[windows.length - 1]));
  for (const place of root.querySelectorAll("[data-spark]")) {
    const spark = sparks.get(place.dataset.spark);
    const node = spark && sparkline(spark.windows, spark.closes, newest, SPARK);
    if (node) place.replaceChildren(drawn(node));
  }
}

/** Let up and down move between the symbols of the rows. */
function arrows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const links = [...event.currentTarget.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (!step || at < 0) return;
  event.preventDefault();
  links[at + step]?.focus();
}
