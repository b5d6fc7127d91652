// The running bar: it moves with each tick of the session under way.
import { ask, askColumns, listen } from "../asking.js";
import { h } from "../dom.js";
import { barsAsked } from "../state.js";
import { instant } from "../words.js";

/** Return how far the session under way is known, as facts. */
export function liveFacts(live) {
  if (!live) return [h("div", {}, "nothing has been collected", h("b", {}, "condvest live run"))];
  const late = live.delay_s == null ? "" : `${Math.round(live.delay_s / 60)} min`;
  const facts = [["session", live.session], ["phase", `${live.phase}, ${live.state}`], ["data of", instant(live.data_through)], ["late by", late]];
  return facts.map(([name, value]) => h("div", {}, name, h("b", {}, value ?? "")));
}

/** Draw the bars with the session under way, and again with each tick; without a database there is none. */
export async function follow(element, { state, signal, plot, bars, refresh }) {
  const { live } = await ask("/v1/live", {}, signal).catch((error) => {
    if (error.status === 501) return { live: null };
    throw error;
  });
  if (!live || live.state === "ended" && live.phase === "official") return;
  const note = h("p", { class: "live muted", "aria-live": "polite" });
  element.prepend(note);
  const draw = async () => {
    const { columns } = await askColumns("/v1/bars", { ...barsAsked(state), live: "true" }, signal);
    if (signal.aborted || !columns.window.length) return;
    const before = bars.window[bars.window.length - 1];
    Object.assign(bars, columns);
    const newest = bars.window[bars.window.length - 1];
    const moved = plot.model.last === before ? newest - before : 0;
    plot.show({ ...plot.model, bars, first: plot.model.first + moved, last: plot.model.last + moved });
    refresh(plot.model.first, plot.model.last);
    const at = bars.is_live.lastIndexOf(true);
    note.textContent = at < 0 ? "No trade of the session under way yet." : `Live: data of ${instant(bars.data_through[at])}; provisional until the session is loaded.`;
  };
  await draw();
  // Ticks come one after the other: while one is drawn, the next waits, and only the newest counts.
  let isDue = false, isDrawing = false;
  listen({}, async () => {
    isDue = true;
    while (isDue && !isDrawing) {
      [isDue, isDrawing] = [false, true];
      await draw().catch((error) => { if (!signal.aborted) note.textContent = error.message; });
      isDrawing = false;
    }
  }, signal).catch((error) => (note.textContent = error.message));
}
