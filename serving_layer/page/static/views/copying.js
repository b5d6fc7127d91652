// The question that a chart answers, as text for other programs.
import { pathOf } from "../asking.js";
import { h } from "../dom.js";
import { barsAsked } from "../state.js";

/** Return a text as a literal of Python, whatever it holds. */
const python = (text) => JSON.stringify(text);

/** Return a text as one word of a shell, whatever it holds. */
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Return a text as a literal of SQL, whatever it holds. */
const sql = (text) => `'${text.replaceAll("'", "''")}'`;

/** Return the snippets of a state: [name, text]. Pure. */
export function snippets(state, origin) {
  const asked = { ...barsAsked(state), as_of: state.as_of };
  const path = (format) => origin + pathOf("/v1/bars", { ...asked, format });
  const more = [`interval=${asked.interval}`, `adjust=${python(asked.adjust)}`, `anchor=${python(asked.anchor)}`];
  if (asked.include_open) more.push("include_open=True");
  if (asked.as_of) more.push(`as_of=${python(asked.as_of)}`);
  return [
    ["curl", `curl ${shell(path("csv"))}`],
    ["Python", `import condvest\n\ntable = condvest.bars(${python(asked.symbol)}, ${more.join(", ")}, source=${python(origin)})`],
    ["DuckDB", `INSTALL httpfs; LOAD httpfs;\nSELECT * FROM read_parquet(${sql(path("parquet"))});`],
  ];
}

/** Return the buttons that copy them, and a link to the CSV. */
export function copying(state) {
  const shown = h("pre", { class: "snippet", hidden: true, tabindex: "0" });
  const said = h("span", { role: "status" });
  const button = ([name, text]) =>
    h("button", {
      type: "button",
      click: async () => {
        shown.textContent = text;
        shown.hidden = false;
        said.textContent = await navigator.clipboard.writeText(text).then(() => ` ${name} copied`, () => " select the text below to copy it");
      },
    }, name);
  const csv = pathOf("/v1/bars", { ...barsAsked(state), as_of: state.as_of, format: "csv" });
  return h("section", { class: "copying" }, h("p", {}, "Copy as ", ...snippets(state, location.origin).map(button), " ", h("a", { href: csv, download: "bars.csv" }, "CSV"), said), shown);
}
