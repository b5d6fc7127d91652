// What the page shows, as the query of its URL: a link shows the same again. Pure.

export const DEFAULTS = {
  view: "chart",
  symbol: "",
  interval: "13",
  adjust: "splits",
  anchor: "calendar",
  log: "",
  open: "1",
  vwap: "",
  as_of: "",
  bars: "", // slots in view, or all; as many as there is room for candles if empty
  end: "", // last session of the last slot in view; the newest if empty
  bar: "", // last session of the bar whose origin is shown
  // market
  on: "",
  min_close: "",
  min_volume: "",
  sort: "symbol",
  rows: "50",
  // coverage
  provider: "",
  month: "",
  // runs and data
  command: "",
  dataset: "",
};

/** Return the state that a query describes; what it does not name has its default, unknown names are left. */
export function parsed(query) {
  const given = new URLSearchParams(query);
  const state = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS)) if (given.has(name)) state[name] = given.get(name);
  return state;
}

/** Return the query of a state, without what is the default. */
export function query(state) {
  const pairs = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  return `?${new URLSearchParams(pairs)}`;
}

/** Return an interval as the server takes it, or the nearest that it does: 1 to 252 sessions. */
export function interval(text) {
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) ? 13 : Math.min(Math.max(number, 1), 252);
}

/** Return the parameters of /v1/bars for a state. */
export function barsAsked(state) {
  return {
    symbol: state.symbol,
    interval: interval(state.interval),
    adjust: state.adjust,
    anchor: state.anchor,
    include_open: state.open ? "true" : "",
  };
}
