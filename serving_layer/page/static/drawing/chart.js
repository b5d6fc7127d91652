// A chart of bars as a tree of nodes: [name, attributes, children or text]. Pure; chart.py is its twin.
import { axes, flags } from "./axes.js";
import { candles, ghosts, kind, shapes, volumes, vwapLine, within } from "./candles.js";
import { layout, rounded, scale } from "./geometry.js";

/** Return where each window lies: {first, last, step, left, right}; windows are inclusive. */
export function viewOf(panels, first, last) {
  return { first, last, left: panels.left, right: panels.right, step: (panels.right - panels.left) / (last - first + 1) };
}

/** Return the patterns that hatch what is open, and the clips. */
const HATCHES = ["up", "down"].map((name) => [
  "pattern",
  { id: `hatch-${name}`, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
  [["path", { class: `hatch ${name}`, d: "M1 0V5" }]],
]);

/**
 * Return the chart: {node, panels, view, prices}.
 *
 * bars: columns of /v1/bars of one symbol, by window, at least one row.
 * options: width, height, first, last (windows in view), log, vwap, interval, through (last loaded session or ""),
 * events (see flags), old (columns of the same windows as they were known earlier; null for none).
 */
export function chart(bars, options) {
  const panels = layout(options.width, options.height);
  const view = viewOf(panels, options.first, options.last);
  const made = shapes(bars, view, options.interval, options.through);
  const before = options.old ? shapes(changed(options.old, bars), view, options.interval, options.through) : [];
  const seen = [...made, ...before];
  const low = seen.reduce((sofar, each) => Math.min(sofar, each.low), Infinity);
  const high = seen.reduce((sofar, each) => Math.max(sofar, each.high), -Infinity);
  const prices = scale(seen.length ? low : 0, seen.length ? high : 1, panels.top, panels.bottom, options.log);
  const node = [
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", class: "chart", viewBox: `0 0 ${options.width} ${options.height}`, width: options.width, height: options.height, role: "img", "aria-label": options.title },
    [
      ["defs", {}, HATCHES],
      ...underWay(bars, view, panels, options),
      ...axes(bars, view, panels, prices),
      ...volumes(made, view.step, panels.volumeTop, panels.volumeBottom),
      ...candles(made, view.step, prices.y),
      ...(options.vwap ? vwapLine(made, view.step, prices.y) : []),
      ...ghosts(before, view.step, prices.y),
      ...flags(options.events, bars, view),
      ...note(bars, view, panels, options),
    ],
  ];
  return { node, panels, view, prices };
}

/** Return the rows of older columns whose prices or volume are not today's; a window that is gone counts too. */
export function changed(old, bars) {
  const today = new Map(bars.window.map((window, at) => [window, at]));
  const names = ["open", "high", "low", "close", "volume"];
  const rows = old.window.map((_, at) => at).filter((at) => {
    const now = today.get(old.window[at]);
    return now === undefined || names.some((name) => old[name][at] !== bars[name][now]);
  });
  return Object.fromEntries(Object.entries(old).map(([name, values]) => [name, rows.map((at) => values[at])]));
}

/** Return the row of the open bar in view; -1 if there is none. */
export function openRow(bars, view, interval, through) {
  const [from, to] = within(bars, view.first, view.last);
  return to > from && kind(bars, to - 1, interval, through) === "open" ? to - 1 : -1;
}

/** Return how far a window under way is: "9 of 13 sessions, closes 2026-12-03". */
export const progress = (bars, at, interval) => `${bars.sessions[at]} of ${interval} sessions, closes ${bars.last_session[at]}`;

function underWay(bars, view, panels, { interval, through }) {
  const at = openRow(bars, view, interval, through);
  if (at < 0) return [];
  const x = rounded(view.left + (bars.window[at] - view.first) * view.step);
  return [["rect", { class: "under-way", x, y: panels.top, width: rounded(Math.max(view.step, 1)), height: panels.volumeBottom - panels.top }]];
}

function note(bars, view, panels, { interval, through }) {
  const at = openRow(bars, view, interval, through);
  if (at < 0) return [];
  const x = rounded(view.left + (bars.window[at] - view.first) * view.step - 3);
  return [["text", { class: "label note", x, y: panels.bottom - 6 }, progress(bars, at, interval)]];
}
