// The page: which view is shown, from the URL and back into it; the theme, the keys, and what is wrong.
import { Problem, keepKey, watchVersion } from "./asking.js";
import { h } from "./dom.js";
import { DEFAULTS, parsed, query } from "./state.js";
import * as chart from "./views/chart.js";

const VIEWS = {
  chart: ["Chart", () => chart],
  market: ["Market", () => import("./views/market.js")],
  coverage: ["Coverage", () => import("./views/coverage.js")],
  runs: ["Runs", () => import("./views/runs.js")],
  data: ["Data", () => import("./views/data.js")],
  alerts: ["Alerts", () => import("./views/alerts.js")],
};
const THEME = "condvest.theme";
const AGAIN = 5000; // milliseconds after which a server that could not answer is asked again
const root = document.querySelector("main");
const nav = document.querySelector("nav");

let state = parsed(location.search);
let running = new AbortController();

/** Change the state and the URL. quiet: the view has drawn the change itself; replace: no step to go back to. */
function set(changes, { quiet = false, replace = quiet } = {}) {
  state = { ...state, ...changes };
  history[replace ? "replaceState" : "pushState"](null, "", query(state));
  if (!quiet) show();
}

/** Return the href of a state, for links that may be opened in another tab. */
const href = (changes) => query({ ...DEFAULTS, symbol: state.symbol, ...changes });

async function show() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  if (!(state.view in VIEWS)) state.view = "chart";
  const [title, load] = VIEWS[state.view];
  document.title = `${title}${state.view === "chart" && state.symbol ? ` ${state.symbol}` : ""} - Condvest`;
  for (const each of nav.children) each.setAttribute("aria-current", each.dataset.view === state.view ? "page" : "false");
  root.setAttribute("aria-busy", "true");
  root.dataset.view = state.view;
  try {
    const view = await load();
    if (root.dataset.shown !== state.view) root.replaceChildren(h("p", { class: "loading" }, "Loading …"));
    await view.show(root, { state, set, href, signal });
    root.dataset.shown = state.view;
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) console.error(error);
    fail(error, signal);
  }
  if (!signal.aborted) root.setAttribute("aria-busy", "false");
}

function fail(error, signal) {
  root.dataset.shown = "";
  const again = h("button", { type: "button", click: show }, "Ask again");
  const parts = [h("h2", {}, error.title ?? "The page failed"), h("p", {}, error.message), h("p", {}, again)];
  if (error.near?.length) parts.push(h("p", {}, `There are: ${error.near.join(", ")}`));
  if (error.status === 401) parts.splice(2, 1, keyForm());
  if (error.passes) {
    const timer = setTimeout(show, AGAIN);
    signal.addEventListener("abort", () => clearTimeout(timer));
    parts.push(h("p", { class: "muted" }, `The page asks again every ${AGAIN / 1000} seconds.`));
  }
  const isChart = state.view === "chart" && error.status && error.status < 500 && error.status !== 401;
  root.replaceChildren(h("section", { class: "problem", role: "alert" }, ...parts), isChart ? otherSymbol() : "");
}

function otherSymbol() {
  const box = h("div", { class: "controls" });
  import("./views/search.js").then(({ search }) =>
    box.append(search(state.symbol, (symbol) => set({ ...DEFAULTS, symbol, interval: state.interval }))));
  return box;
}

function keyForm() {
  const input = h("input", { type: "password", autocomplete: "off", "aria-label": "API key", placeholder: "cv_…" });
  const send = (event) => {
    event.preventDefault();
    keepKey(input.value.trim());
    show();
  };
  return h("form", { submit: send }, h("p", {}, "This tab keeps the key until it is closed. ", input, " ", h("button", {}, "Use it")));
}

function theme(chosen) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = chosen ? chosen === "dark" : dark.matches;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  const button = document.querySelector("#theme");
  button.textContent = isDark ? "Light" : "Dark";
  button.title = `Show the page ${isDark ? "light" : "dark"}`;
  button.onclick = () => {
    const other = isDark ? "light" : "dark";
    if (other === (dark.matches ? "dark" : "light")) localStorage.removeItem(THEME);
    else localStorage.setItem(THEME, other);
    theme(other);
  };
  dark.onchange = () => theme(localStorage.getItem(THEME));
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const view = Object.keys(VIEWS)[Number(event.key) - 1];
  if (event.key === "/") document.querySelector("#symbol")?.focus();
  else if (view) set({ ...DEFAULTS, symbol: state.symbol, view });
  else return;
  event.preventDefault();
}

Object.entries(VIEWS).forEach(([name, [title]], at) => {
  const go = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    set({ ...DEFAULTS, symbol: state.symbol, view: name });
  };
  nav.append(h("a", { href: href({ view: name }), "data-view": name, title: `Key ${at + 1}`, click: go }, title));
});
watchVersion((version) => (document.querySelector(".version").textContent = version));
addEventListener("popstate", () => ((state = parsed(location.search)), show()));
addEventListener("keydown", keys);
theme(localStorage.getItem(THEME));
show();
