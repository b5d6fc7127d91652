// Elements made of text: whatever a symbol or a name holds, it is never read as markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** Return an HTML element; a function among the attributes listens to the event of its name. */
export const h = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);

/** Return the SVG element of a drawing's node: [name, attributes, children or text]. */
export function drawn([name, attributes, inner = []]) {
  const children = typeof inner === "string" ? [inner] : inner.map(drawn);
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Return a table. A column is [title, key or function of a row, class]; a cell is a text or an element. */
export function table(caption, columns, rows, empty = "Nothing.") {
  const cells = (row) =>
    columns.map(([, of, kind]) => h("td", { class: kind }, typeof of === "function" ? of(row) : (row[of] ?? "")));
  const body = rows.map((row) => h("tr", {}, cells(row)));
  if (!rows.length) body.push(h("tr", {}, h("td", { colspan: columns.length, class: "empty" }, empty)));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, ...columns.map(([title, , kind]) => h("th", { class: kind, scope: "col" }, title)))),
      h("tbody", {}, ...body),
    ),
  );
}

/** Return a labelled choice. An option is [value, text]. */
export function choice(label, value, options, change) {
  const made = options.map(([each, text]) => h("option", { value: each, selected: each === value }, text));
  return h("label", {}, `${label} `, h("select", { change: (event) => change(event.target.value) }, ...made));
}

/** Return a labelled box to tick. */
export function tick(label, value, change) {
  const box = h("input", { type: "checkbox", checked: Boolean(value), change: () => change(box.checked ? "1" : "") });
  return h("label", { class: "tick" }, box, ` ${label}`);
}

/** Return a labelled field, which says its value when it is done with. */
export function field(label, value, attributes, change) {
  const input = h("input", { value, ...attributes, change: () => change(input.value) });
  return h("label", {}, `${label} `, input);
}

/** Return a link within the page. */
export const link = (text, href) => h("a", { href, class: "inner" }, text);

/** Return rows of columns. */
export function rowsOf(columns) {
  const names = Object.keys(columns);
  return (columns[names[0]] ?? []).map((_, at) => Object.fromEntries(names.map((name) => [name, columns[name][at]])));
}
