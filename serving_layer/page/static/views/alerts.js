// Alerts: how far the session under way is known, and what rules said of it, as it happens, with the verdicts.
import { ask, listen } from "../asking.js";
import { h, link, table } from "../dom.js";
import { change, counted, instant } from "../words.js";
import { liveFacts } from "./running.js";

const MOST = 200; // rows shown
const WORDS = { fired: "fired", confirmed: "confirmed", withdrawn: "withdrawn" };

/** Show the alerts of a state. */
export async function show(root, { href, signal }) {
  const [{ rows }, { live }] = await Promise.all([ask("/v1/alerts", { limit: MOST }, signal), ask("/v1/live", {}, signal)]);
  const now = h("div", { class: "facts", "aria-live": "polite" }, ...liveFacts(live));
  const list = h("div", {});
  let events = rows;
  const draw = () => list.replaceChildren(listing(events, href));
  draw();
  root.replaceChildren(h("h2", {}, "Session under way"), now, list);
  listen({ after: rows[0]?.event_id ?? "0" }, (name, data) => {
    if (signal.aborted) return;
    if (name === "tick") now.replaceChildren(...liveFacts(data));
    else if (name in WORDS) {
      events = [{ ...data, values: read(data.values), isNew: true }, ...events].slice(0, MOST);
      draw();
    }
  }, signal).catch((error) => root.append(h("p", { class: "warn" }, error.message)));
}

const read = (values) => Object.entries(values).map(([text, value]) => `${text} = ${value ?? "unknown"}`).join(", ");

function listing(events, href) {
  const firing = new Set(events.filter((event) => event.fired_id).map((event) => event.fired_id));
  const columns = [
    ["symbol", (event) => link(event.symbol, href({ view: "chart", symbol: event.symbol }))],
    ["", (event) => h("span", { class: `state ${event.state}${event.isNew ? " new" : ""}` }, event.state)],
    ["by", (event) => change(event.margin), "number"],
    ["rule", (event) => h("span", { title: described(event) }, event.rule), "wrap"],
    ["read", (event) => event.reason ?? event.values, "wrap"],
    ["session", "session"],
    ["verdict", (event) => verdict(event, firing)],
    ["when", (event) => instant(event.created_at)],
  ];
  return table(`${counted(events.length, "event")}, the newest first`, columns, events, "No rule has fired yet. condvest alerts add makes one.");
}

/** Return what a rule is: its condition, and how often it may fire. */
function described({ expression, once, cooldown, rearm }) {
  const rest = cooldown ? `, then a rest of ${cooldown}` : "";
  return `${expression}; once a ${once}${rest}${rearm ? `; re-arms at ${rearm}` : ""}`;
}

/** Return what is still to come of a firing, or whose verdict an event is. */
function verdict(event, firing) {
  if (event.state !== "fired") return event.fired_id ? `on ${event.fired_id}` : "official";
  if (firing.has(event.event_id)) return "given";
  const due = event.sessions_left ? `in ${counted(event.sessions_left, "session")}` : "when the session is loaded";
  return `${due}; ${event.repaint}`;
}
