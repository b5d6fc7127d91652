// Where a bar comes from: every state of its daily bars, the payloads that brought them, and the rows that were refused.
import { h, rowsOf, table } from "../dom.js";
import { count, counted, instant, price } from "../words.js";

const PRICES = ["open", "high", "low", "close"];

/** Return the section that says where the bar of two sessions, inclusive, comes from. */
export function provenance(first, last, { history, refused }, close) {
  const isWithin = (row) => row.session && row.session >= first && row.session <= last;
  const states = rowsOf(history).filter(isWithin);
  const rivals = refused.filter(isWithin);
  const now = states.filter((row) => !row.known_to);
  const payloads = new Set(states.map((row) => row.archive_key));
  const span = first === last ? first : `${first} to ${last}`;
  const section = h(
    "section",
    { class: "provenance", "aria-label": "Where the bar comes from" },
    h("h2", {}, `Where ${span} comes from `, h("button", { type: "button", click: () => (section.remove(), close()) }, "Close")),
    h("p", {}, `${count(now.length)} daily bars as traded, of ${[...new Set(now.map((row) => row.provider))].join(", ") || "nobody"}, from ${counted(payloads.size, "archived answer")}; ${count(states.length - now.length)} superseded.`),
    table("Every state of its daily bars, in the order of sessions", [
      ["session", "session"],
      ...PRICES.map((name) => [name, (row) => price(row[name]), "number"]),
      ["volume", (row) => count(row.volume), "number"],
      ["provider", "provider"],
      ["known from", (row) => instant(row.known_from)],
      ["to", (row) => (row.known_to ? instant(row.known_to) : "now")],
      ["payload", "name", "wrap"],
      ["ended by", (row) => row.ended_by ?? "", "wrap"],
      ["archive", "archive_key", "wrap"],
    ], states, "No daily bar of these sessions is stored."),
    rivals.length > 0 && table("Rows of these sessions that were refused", [
      ["session", "session"],
      ["code", "code"],
      ["reason", "reason", "wrap"],
      ["payload", "name", "wrap"],
    ], rivals),
  );
  return section;
}
