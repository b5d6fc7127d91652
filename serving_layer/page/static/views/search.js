// The search for a symbol: every instrument, delisted ones too, by symbol or name.
import { askColumns } from "../asking.js";
import { h } from "../dom.js";

const MOST = 12;
let known = null;

/** Return the instruments as columns symbol, name, active, last_session; asked for once. */
export function instruments() {
  known ??= listed().catch((error) => {
    known = null;
    throw error;
  });
  return known;
}

async function listed() {
  try {
    const { columns } = await askColumns("/v1/instruments", { columns: "instrument_id,symbol,name,active,last_session" });
    return { ...columns, symbol: labelled(columns) };
  } catch (error) {
    if (error.status !== 501) throw error; // what an earlier Condvest published holds no list; the newest window names who is in it
    const { columns } = await askColumns("/v1/screen", { columns: "symbol,last_session" });
    return { ...columns, name: columns.symbol.map(() => null), active: columns.symbol.map(() => null) };
  }
}

/** Return what each instrument is asked for by: its symbol, or where that has passed to another one, its label X#12. */
export function labelled({ instrument_id: id, symbol, last_session: last }) {
  const newest = new Map();
  symbol.forEach((each, at) => {
    const other = newest.get(each);
    if (other === undefined || (last[at] ?? "") > (last[other] ?? "")) newest.set(each, at);
  });
  return symbol.map((each, at) => (newest.get(each) === at ? each : `${each}#${id[at]}`));
}

/** Return the rows that fit a text, the best first: the symbol itself, symbols that begin with it, then names. */
export function matches(list, text, most = MOST) {
  const small = text.toLowerCase();
  const ranked = [[], [], [], []];
  for (let at = 0; at < list.symbol.length; at += 1) {
    const symbol = list.symbol[at];
    const lower = symbol.toLowerCase();
    if (symbol === text) ranked[0].push(at);
    else if (lower === small) ranked[1].push(at);
    else if (lower.startsWith(small)) ranked[2].push(at);
    else if (lower.includes(small) || list.name[at]?.toLowerCase().includes(small)) ranked[3].push(at);
  }
  return ranked.flat().slice(0, most);
}

/** Return what is said beside an instrument. */
const note = (isActive, last) => (last == null ? h("i", {}, "no bars") : isActive === false && h("i", {}, `delisted, to ${last}`));

/** Return a combobox of symbols; chosen(symbol) is called with what was taken, exactly as it is written. */
export function search(value, chosen) {
  const list = h("ul", { role: "listbox", id: "matches", "aria-label": "Symbols", hidden: true });
  const input = h("input", {
    value, type: "search", role: "combobox", "aria-expanded": "false", "aria-controls": "matches", "aria-autocomplete": "list",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: "40", id: "symbol",
  });
  let rows = [];
  let active = -1;

  function close() {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }
  function take(symbol) {
    close();
    input.value = symbol;
    if (symbol) chosen(symbol);
  }
  function mark(to) {
    active = (to + rows.length) % rows.length;
    [...list.children].forEach((each, at) => each.setAttribute("aria-selected", String(at === active)));
    input.setAttribute("aria-activedescendant", `match-${active}`);
    list.children[active].scrollIntoView({ block: "nearest" });
  }
  async function open() {
    const all = await instruments().catch(() => null); // the chart itself says what is wrong
    if (!all || document.activeElement !== input) return;
    rows = matches(all, input.value.trim()).map((at) => ({ symbol: all.symbol[at], name: all.name[at], active: all.active[at], last: all.last_session[at] }));
    list.replaceChildren(
      ...rows.map(({ symbol, name, active: isActive, last }, at) =>
        h("li", { role: "option", id: `match-${at}`, "aria-selected": "false", pointerdown: (event) => (event.preventDefault(), take(symbol)) },
          h("b", {}, symbol), h("span", {}, name ?? ""), note(isActive, last)),
      ),
    );
    if (!rows.length) list.append(h("li", { class: "empty" }, "No symbol and no name holds this."));
    list.hidden = false;
    active = -1;
    input.setAttribute("aria-expanded", "true");
  }
  input.addEventListener("input", open);
  input.addEventListener("focus", () => (input.select(), instruments().catch(() => null)));
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") take(active >= 0 ? rows[active].symbol : input.value.trim());
    else if (event.key === "Escape") close();
    else if (event.key === "ArrowDown" && list.hidden) open();
    else if (event.key === "ArrowDown" && rows.length) mark(active + 1);
    else if (event.key === "ArrowUp" && rows.length) mark(active < 0 ? rows.length - 1 : active - 1);
    else return;
    event.preventDefault();
  });
  return h("label", { class: "search" }, "Symbol ", input, list);
}
