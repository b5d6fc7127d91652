// Runs: the nights, how they ended, what waits, and how old the newest session is.
import { ask } from "../asking.js";
import { field, h, table } from "../dom.js";
import { count, counted, instant } from "../words.js";

const ENDS = { 0: "done", 1: "failed", 2: "wrong usage", 3: "needs a look" };

/** Show the runs of a state. */
export async function show(root, { state, set, signal }) {
  const [{ rows }, status] = await Promise.all([
    ask("/v1/runs", { command: state.command, limit: 500 }, signal),
    ask("/v1/status", {}, signal),
  ]);
  const age = await ages(status, signal);
  root.replaceChildren(
    h("h2", {}, "Now"),
    facts([
      ["newest session", status.sessions.last ?? "none"],
      ["its age", age],
      ["missing sessions", count(status.sessions.missing)],
      ["partial sessions", count(status.sessions.partial)],
      ["daily bars", count(status.daily_bars)],
      ["instruments", count(status.instruments)],
      ["refused rows", count(status.refused)],
      ["waits to be resampled", status.waiting ? `${counted(status.waiting.instruments, "instrument")}, ${status.waiting.first} to ${status.waiting.last}` : "nothing"],
    ]),
    table("Providers", [["provider", "provider"], ["first", "first"], ["last", "last"], ...["complete", "partial", "missing"].map((name) => [name, (row) => count(row[name]), "number"])], status.providers, "Nothing has been loaded yet."),
    last(status.last_run),
    h("form", { class: "controls", submit: (event) => event.preventDefault() }, field("Commands that begin with", state.command, { type: "search" }, (command) => set({ command }))),
    table(`${counted(rows.length, "run")}, the newest first`, [
      ["run", "run_id", "number"],
      ["command", "command", "wrap"],
      ["started", (row) => instant(row.started_at)],
      ["took", (row) => took(row)],
      ["exit code", (row) => ended(row)],
    ], rows, "No command has run yet."),
  );
}

const facts = (pairs) => h("div", { class: "facts" }, ...pairs.map(([name, value]) => h("div", {}, name, h("b", {}, value))));

/** Return how many sessions have closed since the newest one that is loaded. */
async function ages({ sessions: { last } }, signal) {
  if (!last) return "";
  const now = new Date();
  const { rows } = await ask("/v1/sessions", { start: last, end: now.toISOString().slice(0, 10), limit: 100000 }, signal);
  const closed = rows.filter((row) => row.session > last && new Date(row.closes_at) < now).length;
  return closed ? `${counted(closed, "session")} behind` : "up to date";
}

/** Return how long a run took. */
function took({ started_at: from, finished_at: to }) {
  if (!to) return "";
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}

function ended({ exit_code: code, finished_at: to }) {
  if (code == null) return to ? "" : "under way, or killed";
  return h("span", { class: code ? "warn" : "" }, `${code} ${ENDS[code] ?? ""}`);
}

/** Return what the last run loaded. */
function last(run) {
  const loads = run?.summary?.loads;
  if (!loads?.length) return "";
  return table(`Loads of the last run: ${run.command}`, [
    ["payload", "name", "wrap"],
    ["provider", "provider"],
    ["data set", "dataset"],
    ...["rows", "inserted", "changed", "unchanged"].map((name) => [name, (row) => count(row[name]), "number"]),
    ["refused", (row) => Object.entries(row.refused ?? {}).map(([code, number]) => `${code} ${number}`).join(", ")],
  ], loads);
}
