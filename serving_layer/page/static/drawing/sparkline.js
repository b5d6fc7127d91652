// A small line of closes: one step per window, holes where windows are missing. Pure.
import { rounded } from "./geometry.js";

/** Return the node of a sparkline of the newest windows of one symbol, or null without any. */
export function sparkline(windows, closes, last, count, width = 120, height = 26) {
  const shown = windows.map((window, at) => [window, closes[at]]).filter(([window]) => window > last - count);
  if (!shown.length) return null;
  const values = shown.map(([, close]) => close);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (window) => rounded(2 + ((window - last + count - 1) / Math.max(count - 1, 1)) * (width - 4));
  const y = (close) => rounded(high === low ? height / 2 : height - 3 - ((close - low) / (high - low)) * (height - 6));
  const d = shown.map(([window, close], at) => `${at && window - shown[at - 1][0] === 1 ? "L" : "M"}${x(window)} ${y(close)}`).join("");
  const label = `${shown.length} closes from ${values[0]} to ${values[values.length - 1]}`;
  return ["svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, [["path", { d }]]];
}
