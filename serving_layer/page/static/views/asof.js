// As of: the instants at which this symbol changed, and the bars as they were known after each.
import { ask, askColumns } from "../asking.js";
import { h } from "../dom.js";
import { barsAsked } from "../state.js";
import { count, instant } from "../words.js";

/** Return the instants at which something of a symbol became known, the earliest first. */
export function stops(history) {
  const { known_from: from, known_to: to } = history;
  return [...new Set([...from, ...to.filter((each) => each)])].sort();
}

/** Return the instant a microsecond before one, both as ISO text in UTC: what had become known by then, and no more. */
export function before(text) {
  const [second, fraction = ""] = text.slice(0, 26).replace("+00:00", "").split(".");
  const micros = Number(fraction.padEnd(6, "0"));
  const at = micros ? second : new Date(Date.parse(`${second}Z`) - 1000).toISOString().slice(0, 19);
  return `${at}.${String(micros ? micros - 1 : 999999).padStart(6, "0")}Z`;
}

/** Return the stop whose state an instant shows: the last one at or before it; a date stands for its end. */
export function stopOf(at, asOf) {
  const until = asOf.length === 10 ? `${asOf}T23:59:59.999999` : asOf;
  return at.filter((each) => each <= until).length - 1;
}

/** Return the slider. show(columns or null) is called with the bars of a past instant, null for now. */
export function asOf(state, history, { set, signal, show }) {
  const at = stops(history);
  const said = h("output", { class: "muted", "aria-live": "polite" });
  if (at.length < 2) return h("p", { class: "asof muted" }, `As of: nothing has changed since this symbol was loaded at ${instant(at[0])}.`);
  const newest = at.length - 1;
  const chosen = state.as_of ? stopOf(at, state.as_of) : newest;
  const slider = h("input", { type: "range", min: "0", max: String(newest), step: "1", value: String(Math.max(chosen, 0)), id: "as-of" });
  let asked = new AbortController();

  async function move(isFirst) {
    const position = Number(slider.value);
    // All that was known until the next change: splits that came after the bars of this stop, too.
    const when = position === newest ? "" : before(at[position + 1]);
    const words = position === newest ? "now" : `${instant(at[position])} until ${instant(at[position + 1])}, ${position + 1} of ${at.length}`;
    slider.setAttribute("aria-valuetext", words);
    said.textContent = words;
    if (!isFirst) set({ as_of: when }, { quiet: true });
    asked.abort();
    asked = new AbortController();
    signal.addEventListener("abort", () => asked.abort());
    if (position === newest) return show(null);
    try {
      const { columns } = await askColumns("/v1/bars", { ...barsAsked({ ...state, as_of: when }), as_of: when }, asked.signal);
      const differ = show(columns);
      said.textContent = `${words}: ${count(differ)} of ${count(columns.window.length)} bars were other than today's`;
      said.append(h("span", { class: "key ghost" }, "as known then"));
    } catch (error) {
      if (error.name !== "AbortError") said.textContent = `${error.title}: ${error.message}`;
    }
    return null;
  }
  slider.addEventListener("input", () => move(false));
  if (chosen < newest) move(true);
  else said.textContent = "now";
  return h("p", { class: "asof" }, h("label", { for: "as-of" }, "As of"), slider, said);
}

/** Return the history of a symbol's daily bars as columns, and the rows of it that were refused. */
export async function historyOf(symbol, signal) {
  const [history, refused] = await Promise.all([
    askColumns("/v1/history", { symbol }, signal),
    ask("/v1/refused", { limit: 10000, columns: "name,code,symbol,session,reason" }, signal),
  ]);
  return { history: history.columns, refused: refused.rows.filter((row) => row.symbol === symbol) };
}
