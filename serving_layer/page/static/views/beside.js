// What follows the chart once it is drawn: as of, where a bar comes from, and the question for other programs.
import { h } from "../dom.js";
import { rowOn } from "../drawing/axes.js";
import { changed } from "../drawing/chart.js";
import { asOf, historyOf } from "./asof.js";
import { copying } from "./copying.js";
import { provenance } from "./provenance.js";

/** Add what stands below the chart, and let a chosen bar open its origin. */
export async function beside(below, { state, set, signal, plot, bars, later }) {
  const copy = h("div", {}, copying(state));
  const origin = h("div", {});
  below.append(origin, copy);
  let known;
  try {
    known = await historyOf(state.symbol, signal);
  } catch (error) {
    if (!signal.aborted) below.append(h("p", { class: "muted" }, `As of and origin: ${error.message}`));
    return;
  }
  later.provenance = (row) => {
    const section = provenance(bars.first_session[row], bars.last_session[row], known, () => set({ bar: "" }, { quiet: true }));
    origin.replaceChildren(section);
  };
  const chosen = state.bar ? rowOn(bars, state.bar) : bars.window.length;
  if (chosen < bars.window.length) {
    plot.go(chosen);
    later.provenance(chosen);
  }
  const slider = asOf(state, known.history, {
    set: (changes, how) => {
      set(changes, how);
      copy.replaceChildren(copying({ ...state, ...changes }));
    },
    signal,
    show: (old) => {
      plot.show({ ...plot.model, old });
      return old ? changed(old, bars).window.length : 0;
    },
  });
  below.prepend(slider);
}
