// Axes, and flags for splits and dividends. The horizontal axis counts windows, not time. Pure; axes.py is its twin.
import { rounded, ticks } from "./geometry.js";
import { within } from "./candles.js";

const LEVELS = [
  [76, (text) => text, (text) => text],
  [60, (text) => text.slice(0, 7), (text) => text.slice(0, 7)],
  [60, (text) => text.slice(0, 4) + Math.floor((Number(text.slice(5, 7)) - 1) / 3), (text) => text.slice(0, 7)],
  ...[1, 2, 5, 10, 20].map((years) => [44, (text) => String(Math.floor(Number(text.slice(0, 4)) / years)), (text) => text.slice(0, 4)]),
];
// Least distance in pixels, the group that a date belongs to, and its label: sessions, months, quarters, years.

/** Return labels below the windows: [[x, text], ...]; the finest dates that have room. */
export function dates(bars, view) {
  const [from, to] = within(bars, view.first, view.last);
  const x = (at) => rounded(view.left + (bars.window[at] - view.first + 0.5) * view.step);
  for (const [room, group, label] of LEVELS) {
    const starts = [];
    for (let at = from; at < to; at += 1)
      if (at === from || group(bars.first_session[at]) !== group(bars.first_session[at - 1])) starts.push(at);
    if (starts.length * room > view.right - view.left + room && group !== LEVELS[LEVELS.length - 1][1]) continue;
    const made = [];
    for (const at of starts) {
      const isFree = !made.length || x(at) - made[made.length - 1][0] >= room;
      if (isFree && x(at) >= view.left + room / 2 - 8 && x(at) <= view.right - room / 2 + 16) made.push([x(at), label(bars.first_session[at])]);
    }
    return made;
  }
  return [];
}

/** Return the nodes of the grid, of both axes and of their labels. */
export function axes(bars, view, panels, prices) {
  const lines = [];
  const labels = [];
  for (const [value, text] of ticks(prices, Math.floor((panels.bottom - panels.top) / 46))) {
    const y = prices.y(value);
    lines.push(`M${panels.left} ${y}H${panels.right}`);
    labels.push(["text", { x: panels.right + 6, y: rounded(y + 4), class: "label" }, text]);
  }
  for (const [x, text] of dates(bars, view)) {
    lines.push(`M${x} ${panels.top}V${panels.volumeBottom}`);
    labels.push(["text", { x, y: panels.volumeBottom + 16, class: "label middle" }, text]);
  }
  return [["path", { class: "grid", d: lines.join("") }], ...labels];
}

/** Return the row of the first bar whose window ends on or after a date; the count of rows if there is none. */
export function rowOn(bars, date) {
  let [low, high] = [0, bars.last_session.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars.last_session[middle] < date) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the nodes of flags: {date, text, kind, title}, kind split or dividend. Texts are left out where they would overlap. */
export function flags(events, bars, view) {
  const made = [];
  const taken = { split: -Infinity, dividend: -Infinity };
  for (const { date, text, kind, title } of events) {
    const at = rowOn(bars, date);
    if (at >= bars.window.length || bars.window[at] < view.first || bars.window[at] > view.last) continue;
    if (at === 0 && date < bars.first_session[0]) continue; // before all bars
    const x = rounded(view.left + (bars.window[at] - view.first + 0.5) * view.step);
    const y = kind === "split" ? 12 : 26;
    const room = text.length * 6 + 16;
    const children = [["title", {}, title], ["path", { d: `M${rounded(x - 4)} ${y - 4}H${rounded(x + 4)}L${x} ${y + 3}Z` }]];
    if (x - taken[kind] >= 8 && x + room - 8 <= view.right + 56 && isFree(events, kind, date, bars, view, x, room)) {
      children.push(["text", { x: rounded(x + 6), y: y + 3 }, text]);
      taken[kind] = x + room;
    }
    made.push(["g", { class: `flag ${kind}` }, children]);
  }
  return made;
}

function isFree(events, kind, date, bars, view, x, room) {
  const next = events.find((each) => each.kind === kind && each.date > date);
  if (!next) return true;
  const at = rowOn(bars, next.date);
  return at >= bars.window.length || view.left + (bars.window[at] - view.first + 0.5) * view.step - x >= room;
}
