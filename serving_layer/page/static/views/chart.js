// The chart of a symbol: what it is asked for, the chart itself, its table, and what stands beside.
import { ask, askColumns } from "../asking.js";
import { choice, field, h, table, tick } from "../dom.js";
import { rowOn } from "../drawing/axes.js";
import { barsAsked, interval as asInterval } from "../state.js";
import { count, price } from "../words.js";
import { Plot } from "./plot.js";
import { instruments, search } from "./search.js";

const LAST = "condvest.symbol";
const INTERVALS = [1, 3, 5, 8, 13, 21, 34];
const ROWS = 500; // of the table
const CANDLE = 5; // pixels that a candle needs to be read as one
const NAMES = ["open", "high", "low", "close", "vwap"];

/** Show the chart of a state. */
export async function show(root, { state, set, signal }) {
  const { symbol } = state;
  if (!symbol) {
    const symbols = localStorage.getItem(LAST) ? [localStorage.getItem(LAST)] : (await instruments()).symbol;
    if (symbols.length) set({ symbol: symbols[0] }, { replace: true });
    else root.replaceChildren(empty());
    return;
  }
  const interval = asInterval(state.interval);
  const form = controls(state, set);
  if (!root.querySelector(".chart-view")) root.replaceChildren(h("div", { class: "chart-view" }, form, h("p", { class: "loading" }, "Loading …")));
  // Asked for at once, and waited for once the candles are drawn.
  const flags = actions(symbol, signal).then((events) => ({ events }), (error) => ({ error }));
  const found = await askColumns("/v1/bars", barsAsked(state), signal);
  localStorage.setItem(LAST, symbol);
  const bars = found.columns;
  const through = Object.values(found.loaded_through ?? {}).reduce((a, b) => (a > b ? a : b), "");
  const main = h("div", { class: "chart-view" }, form);
  root.replaceChildren(main);
  if (!bars.window.length) {
    main.append(h("p", { class: "empty" }, `${symbol} has no bar of ${interval} sessions${state.open ? "" : " whose window has ended; try with the open bar"}.`));
    return;
  }
  main.append(h("h2", {}, `${symbol}, ${interval === 1 ? "daily bars" : `bars of ${interval} sessions`}`));
  const below = h("div", { class: "below" });
  const later = { asOf: null, provenance: null };
  const plot = new Plot(main, {
    moved: (first, last) => {
      const whole = first === bars.window[0] && last === bars.window[bars.window.length - 1];
      set({ bars: whole ? "all" : String(last - first + 1), end: last === bars.window[bars.window.length - 1] ? "" : dateOf(bars, last) }, { quiet: true });
      listing.refresh(first, last);
    },
    picked: (row) => {
      set({ bar: bars.last_session[row] }, { quiet: true });
      later.provenance?.(row);
    },
  });
  const listing = bracket(bars, interval, through, () => plot.model);
  const [first, last] = inView(bars, state, plot.frame.clientWidth);
  plot.show({ bars, interval, through, events: [], first, last, log: state.log, vwap: state.vwap, old: null, title: `Candles of ${symbol}` });
  performance.mark("first-candle");
  main.append(buttons(plot), below);
  below.append(listing.element);
  signal.addEventListener("abort", () => plot.sizes.disconnect());
  const { events, error } = await flags;
  if (signal.aborted) return;
  if (events) plot.show({ ...plot.model, events });
  else below.append(h("p", { class: "warn" }, `Splits and dividends are not flagged: ${error.message}`));
  const { beside } = await import("./beside.js");
  if (!signal.aborted) await beside(below, { state, set, signal, plot, bars, interval, later });
  if (signal.aborted || !state.open || state.as_of || !isNewest(state)) return;
  const { follow } = await import("./running.js");
  await follow(below, { state, signal, plot, bars, refresh: listing.refresh });
}

/** Return whether a chart shows bars as they are now, for total returns and listings stand still while a session runs. */
const isNewest = ({ adjust, anchor }) => adjust !== "total" && anchor === "calendar";

function empty() {
  return h("p", { class: "empty" }, "The database holds no instrument yet. ", h("code", {}, "condvest run"), " loads the sample.");
}

function controls(state, set) {
  const shown = INTERVALS.map((each) => [String(each), each === 1 ? "1 (daily)" : String(each)]);
  if (!INTERVALS.includes(Number(state.interval))) shown.push([state.interval, state.interval]);
  return h(
    "form",
    { class: "controls", submit: (event) => event.preventDefault() },
    search(state.symbol, (symbol) => set({ symbol, as_of: "", bars: "", end: "", bar: "" })),
    field("Sessions per bar ", state.interval, { type: "number", min: "1", max: "252", list: "intervals", id: "interval" }, (text) =>
      set({ interval: String(asInterval(text)), bars: "", end: "", bar: "" })),
    h("datalist", { id: "intervals" }, ...shown.map(([value, text]) => h("option", { value }, text))),
    choice("Adjust", state.adjust, [["splits", "splits"], ["total", "splits and dividends"], ["none", "none"]], (adjust) => set({ adjust })),
    choice("Anchor", state.anchor, [["calendar", "calendar"], ["listing", "listing"]], (anchor) => set({ anchor, bars: "", end: "" })),
    tick("Log", state.log, (log) => set({ log })),
    tick("vwap", state.vwap, (vwap) => set({ vwap })),
    tick("Open bar", state.open, (open) => set({ open })),
  );
}

/** Return splits and dividends as flags. */
async function actions(symbol, signal) {
  const [splits, dividends] = await Promise.all(["splits", "dividends"].map((name) => ask(`/v1/${name}`, { symbol, limit: 10000 }, signal)));
  return [
    ...splits.rows.map(({ ex_date: date, split_from: from, split_to: to }) => ({ date, kind: "split", text: `S ${to}:${from}`, title: `Split ${to} for ${from}, ${date}` })),
    ...dividends.rows.map(({ ex_date: date, cash_amount: cash }) => ({ date, kind: "dividend", text: `D ${cash}`, title: `Dividend ${cash}, ${date}` })),
  ];
}

/** Return the windows that a state shows, inclusive. */
function inView(bars, { bars: slots, end }, width) {
  const newest = bars.window.length - 1;
  const row = end ? Math.min(rowOn(bars, end), newest) : newest;
  const last = bars.window[row];
  const asked = Number.parseInt(slots, 10);
  const shown = slots === "all" ? Infinity : Number.isNaN(asked) ? Math.floor(width / CANDLE) : Math.max(asked, 1);
  return [Math.max(last - shown + 1, bars.window[0]), last];
}

/** Return the last session of the newest bar up to a window. */
function dateOf(bars, window) {
  let row = bars.window.length - 1;
  while (row > 0 && bars.window[row] > window) row -= 1;
  return bars.last_session[row];
}

function buttons(plot) {
  const button = (text, title, press) => h("button", { type: "button", title, "aria-label": title, click: press }, text);
  return h(
    "p",
    { class: "buttons" },
    button("\u2190", "Earlier", () => plot.move(-Math.ceil((plot.model.last - plot.model.first) / 3))),
    button("\u2192", "Later", () => plot.move(Math.ceil((plot.model.last - plot.model.first) / 3))),
    button("+", "Zoom in", () => plot.zoom(0.7)),
    button("\u2212", "Zoom out", () => plot.zoom(1 / 0.7)),
    button("All", "Show all bars", () => plot.all()),
    h("span", { class: "legend" },
      ...[["up", "up"], ["down", "down"], ["open", "open"], ["lacking", "lacks sessions"]].map(([name, text]) => h("span", { class: `key ${name}` }, text))),
  );
}

/** Return the table of the bars in view, made when it is opened: {element, refresh(first, last)}. */
function bracket(bars, interval, through, model) {
  const element = h("details", { class: "table", toggle: () => refresh(model().first, model().last) }, h("summary", {}, "Table of the bars in view"));
  function refresh(first, last) {
    if (!element.open) return;
    let rows = bars.window.map((_, at) => at).filter((at) => bars.window[at] >= first && bars.window[at] <= last).reverse();
    const all = rows.length;
    rows = rows.slice(0, ROWS);
    const columns = [
      ["first", (at) => bars.first_session[at]],
      ["last", (at) => bars.last_session[at]],
      ...NAMES.map((name) => [name, (at) => price(bars[name][at]), "number"]),
      ["volume", (at) => count(bars.volume[at]), "number"],
      ["sessions", (at) => `${bars.sessions[at]} of ${interval}`, "number"],
      ["", (at) => (bars.is_complete[at] ? "" : bars.last_session[at] > through ? "open" : "incomplete")],
    ];
    const caption = `${count(all)} bars, newest first${all > ROWS ? `; the newest ${ROWS} are shown` : ""}`;
    element.replaceChildren(element.firstChild, table(caption, columns, rows));
  }
  return { element, refresh };
}
