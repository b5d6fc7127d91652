// Questions to the server that this page comes from: the only place that sends anything.

const KEY = "condvest.key";
let onVersion = () => {};

/** Call a function with the version of the data whenever an answer names one. */
export const watchVersion = (watch) => (onVersion = watch);

/** Keep a key for this tab. */
export const keepKey = (key) => sessionStorage.setItem(KEY, key);

/** An answer that is none: status 0 if the server did not answer at all. */
export class Problem extends Error {
  constructor(status, title, detail, near = []) {
    super(detail);
    Object.assign(this, { status, title, near });
  }
  /** Whether asking again later may help. */
  get passes() {
    return this.status === 0 || this.status === 503;
  }
}

/** Return the path and query of a question; parameters without a value are left out. */
export function pathOf(path, asked = {}) {
  const pairs = Object.entries(asked).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).filter((each) => each !== "" && each != null).map((each) => [name, each]),
  );
  return pairs.length ? `${path}?${new URLSearchParams(pairs)}` : path;
}

/** Ask, and return the JSON of the answer; raises Problem. */
export async function ask(path, asked = {}, signal = undefined) {
  const key = sessionStorage.getItem(KEY);
  let answer;
  try {
    answer = await fetch(pathOf(path, asked), { signal, headers: key ? { Authorization: `Bearer ${key}` } : {} });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The server does not answer", "It may have been stopped: condvest serve starts it again.");
  }
  const said = await answer.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The answer was cut off", "Ask again.");
  });
  if (!answer.ok) throw new Problem(answer.status, said.title ?? "Error", said.detail ?? "", said.near);
  if (said.version && !path.startsWith("/v1/datasets")) onVersion(said.version);
  return said;
}

/** Hear what happens: call heard(name, data) for each event, until the signal aborts. Comes back by itself where it was. */
export async function listen(asked, heard, signal) {
  for (let after = asked.after ?? ""; !signal.aborted; await new Promise((wake) => setTimeout(wake, 3000))) {
    try {
      const key = sessionStorage.getItem(KEY);
      const headers = key ? { Authorization: `Bearer ${key}` } : {};
      const answer = await fetch(pathOf("/v1/events", { ...asked, after }), { signal, headers });
      if (!answer.ok) throw new Problem(answer.status, "What happens is not told", (await answer.json()).detail ?? "");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = "", part = await reader.read(); !part.done; part = await reader.read()) {
        const whole = (text + part.value).split("\n\n");
        text = whole.pop();
        for (const each of whole) {
          const fields = Object.fromEntries(each.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
          if (fields.id) after = fields.id;
          if (fields.event) heard(fields.event, JSON.parse(fields.data));
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status && error.status < 500 && error.status !== 429) throw error;
    }
  }
}

/** Ask for all rows as columns, over as many pages as there are; what stands beside them is the first page's. */
export async function askColumns(path, asked = {}, signal = undefined) {
  const first = await ask(path, { format: "columns", limit: 100000, ...asked }, signal);
  for (let page = first; page.next; ) {
    page = await ask(page.next, {}, signal);
    for (const [name, values] of Object.entries(page.columns)) first.columns[name] = first.columns[name].concat(values);
  }
  return first;
}
