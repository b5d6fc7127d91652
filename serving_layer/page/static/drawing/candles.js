// Bars as a handful of paths, one per class of candle, so that 6,000 bars are a few elements. Pure; candles.py is its twin.
import { rounded } from "./geometry.js";

/** Return what a bar is: open (its window is under way), lacking (sessions are missing in it) or whole. */
export function kind(bars, at, interval, through) {
  if (bars.is_complete[at]) return bars.sessions[at] < interval ? "lacking" : "whole";
  const isOpen = through ? bars.last_session[at] > through : at === bars.window.length - 1;
  return isOpen ? "open" : "lacking";
}

/** Return the rows whose windows lie within two, inclusive: [from, to). Rows are by window. */
export function within(bars, first, last) {
  const { window } = bars;
  const before = (limit) => {
    let [low, high] = [0, window.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (window[middle] < limit) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [before(first), before(last + 1)];
}

/**
 * Return what is drawn: each bar, or where slots are narrower than 2 pixels, the range of those that share a pixel.
 * A shape: {x, open, high, low, close, volume, vwap, kind, window}; x in pixels.
 */
export function shapes(bars, view, interval, through) {
  const [from, to] = within(bars, view.first, view.last);
  const made = [];
  for (let at = from; at < to; at += 1) {
    const center = view.left + (bars.window[at] - view.first + 0.5) * view.step;
    const x = view.step < 2 ? Math.floor(center) + 0.5 : rounded(center);
    const last = made[made.length - 1];
    if (view.step < 2 && last && last.x === x) {
      last.high = Math.max(last.high, bars.high[at]);
      last.low = Math.min(last.low, bars.low[at]);
      last.volume = Math.max(last.volume, bars.volume[at]);
      Object.assign(last, { close: bars.close[at], vwap: bars.vwap[at], window: bars.window[at] });
      if (last.kind === "whole") last.kind = kind(bars, at, interval, through);
    } else {
      const { open, high, low, close, volume, vwap, window } = bars;
      made.push({ x, open: open[at], high: high[at], low: low[at], close: close[at], volume: volume[at], vwap: vwap[at], kind: kind(bars, at, interval, through), window: window[at] });
    }
  }
  return made;
}

/** Return the nodes of candles: wicks and bodies by class. */
export function candles(made, step, y) {
  const wicks = new Map();
  const bodies = new Map();
  const half = rounded(Math.max(Math.min(step * 0.36, 9), 0.5));
  for (const each of made) {
    const name = `${each.kind} ${each.close >= each.open ? "up" : "down"}`;
    add(wicks, name, `M${each.x} ${y(each.high)}V${Math.max(y(each.low), rounded(y(each.high) + 1))}`);
    if (step >= 3) add(bodies, name, box(each.x, half, y(Math.max(each.open, each.close)), y(Math.min(each.open, each.close))));
  }
  return [...paths("wick", wicks), ...paths("body", bodies)];
}

/** Return the nodes of volume bars below. */
export function volumes(made, step, top, bottom) {
  const most = made.reduce((sofar, each) => Math.max(sofar, each.volume), 0);
  const by = new Map();
  const half = rounded(Math.max(Math.min(step * 0.36, 9), 0.5));
  for (const each of made) {
    if (!(each.volume > 0)) continue;
    const high = rounded(bottom - Math.max((each.volume / most) * (bottom - top), 1));
    add(by, `${each.kind} ${each.close >= each.open ? "up" : "down"}`, box(each.x, half, high, bottom));
  }
  return paths("volume", by);
}

/** Return the node of the volume-weighted mean price: a line that ends where a window is missing. */
export function vwapLine(made, step, y) {
  let line = "";
  let before = null;
  for (const each of made) {
    if (each.vwap == null) {
      before = null;
      continue;
    }
    const joins = before && each.x - before.x <= Math.max(step * 1.5, 2);
    line += `${joins ? "L" : "M"}${each.x} ${y(each.vwap)}`;
    before = each;
  }
  return line ? [["path", { class: "vwap", d: line }]] : [];
}

/** Return the node of ghosts: the outlines of other values of the same windows. */
export function ghosts(made, step, y) {
  const half = rounded(Math.max(Math.min(step * 0.46, 11), 1));
  const d = made.map((each) => `M${each.x} ${y(each.high)}V${y(each.low)}${box(each.x, half, y(Math.max(each.open, each.close)), y(Math.min(each.open, each.close)))}`);
  return d.length ? [["path", { class: "ghost", d: d.join("") }]] : [];
}

function box(x, half, top, bottom) {
  const [left, right] = [rounded(x - half), rounded(x + half)];
  return `M${left} ${top}H${right}V${Math.max(bottom, rounded(top + 1))}H${left}Z`;
}

function add(by, name, d) {
  by.set(name, (by.get(name) ?? "") + d);
}

const paths = (part, by) => [...by].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, d]) => ["path", { class: `${part} ${name}`, d }]);
