// The chart under the reader's hands: pointer, wheel and keys move it, and a cursor reads a bar out.
import { drawn, h } from "../dom.js";
import { chart, progress } from "../drawing/chart.js";
import { kind, within } from "../drawing/candles.js";
import { count, price } from "../words.js";

const FEWEST = 5; // slots in view
const KEYS = "Left and right move the cursor, with shift the chart; plus and minus zoom, 0 shows all, Enter opens a bar.";

/** Return the words that read a bar out, one for each fact. */
export function readOut(bars, at, interval, through, old = null) {
  const what = kind(bars, at, interval, through);
  const span = bars.first_session[at] === bars.last_session[at] ? bars.last_session[at] : `${bars.first_session[at]} to ${bars.last_session[at]}`;
  const parts = [span, `O ${price(bars.open[at])}`, `H ${price(bars.high[at])}`, `L ${price(bars.low[at])}`, `C ${price(bars.close[at])}`, `V ${count(bars.volume[at])}`];
  if (bars.vwap[at] != null) parts.push(`vwap ${price(bars.vwap[at])}`);
  if (what === "open") parts.push(progress(bars, at, interval));
  if (what === "lacking") parts.push(`${bars.sessions[at]} of ${interval} sessions${bars.is_complete[at] ? "" : ", incomplete"}`);
  const then = old ? old.window.indexOf(bars.window[at]) : -1;
  if (old && then < 0) parts.push("not known then");
  else if (old && old.close[then] !== bars.close[at]) parts.push(`C then ${price(old.close[then])}`);
  return parts;
}

/** A chart in an element. Told: moved(first, last) when the windows in view change, picked(row) when a bar is chosen. */
export class Plot {
  constructor(root, { moved, picked }) {
    this.told = { moved, picked };
    this.readout = h("p", { class: "readout", "aria-live": "polite" });
    this.surface = h("div", { class: "surface" });
    this.frame = h("div", { class: "plot", tabindex: "0", role: "group", "aria-label": `Chart. ${KEYS}` }, this.surface);
    this.cross = drawn(["svg", { class: "cross", "aria-hidden": "true" }, [["path", {}], ["rect", { width: 58, height: 16, rx: 2 }], ["text", {}, ""]]]);
    this.frame.append(this.cross);
    root.append(this.readout, this.frame);
    this.pointers = new Map();
    this.listen();
    this.sizes = new ResizeObserver(() => this.later());
    this.sizes.observe(this.frame);
  }

  /** Show a model: bars and options as `chart` takes them, and the windows in view. */
  show(model) {
    this.model = model;
    const { window } = model.bars;
    this.row = Math.min(this.row ?? window.length - 1, window.length - 1);
    this.draw();
    this.read();
  }

  /** Draw before the next frame, once however often it was asked for. */
  later() {
    if (this.waiting || !this.model) return;
    this.waiting = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    const width = Math.max(Math.floor(this.frame.clientWidth), 260);
    const height = Math.max(Math.floor(this.frame.clientHeight), 240);
    this.made = chart(this.model.bars, { ...this.model, width, height });
    this.surface.replaceChildren(drawn(this.made.node));
    this.cross.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.point();
  }

  /** Move the cursor to a row, into view if it is beyond. */
  go(row) {
    const { bars } = this.model;
    this.isPointed = true; // until the reader points at a bar, nothing hides the newest one
    this.row = Math.min(Math.max(row, 0), bars.window.length - 1);
    const window = bars.window[this.row];
    if (window < this.model.first) this.move(window - this.model.first);
    else if (window > this.model.last) this.move(window - this.model.last);
    this.point();
    this.read();
  }

  read() {
    const { bars, interval, through, old } = this.model;
    const words = readOut(bars, this.row, interval, through, old);
    this.readout.replaceChildren(...words.flatMap((each) => [h("span", {}, each), " "]));
  }

  point() {
    const { bars } = this.model;
    const { view, panels, prices } = this.made;
    const window = bars.window[this.row];
    const [line, box, text] = this.cross.children;
    const isSeen = this.isPointed && window >= view.first && window <= view.last;
    const x = Math.floor(view.left + (window - view.first + 0.5) * view.step) + 0.5;
    const y = prices.y(bars.close[this.row]);
    line.setAttribute("d", isSeen ? `M${x} ${panels.top}V${panels.volumeBottom}M${panels.left} ${y}H${panels.right}` : "");
    text.textContent = isSeen ? price(bars.close[this.row]) : "";
    text.setAttribute("x", panels.right + 6);
    text.setAttribute("y", y + 4);
    box.setAttribute("x", panels.right + 2);
    box.setAttribute("y", isSeen ? y - 8 : -99);
  }

  /** Show other windows, as near as the bars allow. */
  range(first, last) {
    const { window } = this.model.bars;
    const [low, high] = [window[0], window[window.length - 1]];
    const slots = Math.min(Math.max(Math.round(last - first + 1), Math.min(FEWEST, high - low + 1)), high - low + 1);
    const from = Math.min(Math.max(Math.round(first), low), high - slots + 1);
    this.model = { ...this.model, first: from, last: from + slots - 1 };
    this.later();
    this.told.moved(this.model.first, this.model.last);
  }

  move(slots) {
    this.range(this.model.first + slots, this.model.last + slots);
  }

  /** Zoom by a factor about a window, which keeps its place. */
  zoom(factor, about = this.model.last) {
    const { first, last } = this.model;
    const slots = Math.max(Math.round((last - first + 1) * factor), FEWEST);
    const share = (about - first + 0.5) / (last - first + 1);
    const from = Math.round(about + 0.5 - share * slots);
    this.range(from, from + slots - 1);
  }

  all() {
    this.range(-Infinity, Infinity);
  }

  windowAt(event) {
    const { view } = this.made;
    const x = event.clientX - this.frame.getBoundingClientRect().left;
    return view.first + Math.floor((x - view.left) / view.step);
  }

  rowAt(event) {
    const { bars, first, last } = this.model;
    const window = this.windowAt(event);
    const [from, to] = within(bars, first, last);
    let [row] = within(bars, window, window);
    if (row > from && (row >= to || window - bars.window[row - 1] < bars.window[row] - window)) row -= 1;
    return row;
  }

  listen() {
    const { frame } = this;
    frame.addEventListener("keydown", (event) => this.key(event));
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => {
      frame.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, event.clientX);
      this.drag = { x: event.clientX, first: this.model.first, last: this.model.last, isMoved: false };
    });
    frame.addEventListener("pointermove", (event) => this.pointer(event));
    frame.addEventListener("pointerup", (event) => {
      this.pointers.delete(event.pointerId);
      if (this.drag && !this.drag.isMoved) {
        this.go(this.rowAt(event));
        this.told.picked(this.row);
      }
      this.drag = null;
    });
    frame.addEventListener("pointercancel", (event) => {
      this.pointers.delete(event.pointerId);
      this.drag = null;
    });
  }

  pointer(event) {
    if (!this.model) return;
    if (this.pointers.size === 2 && this.pointers.has(event.pointerId)) {
      this.pinch(event);
    } else if (this.drag) {
      const moved = event.clientX - this.drag.x;
      if (Math.abs(moved) > 4) this.drag.isMoved = true;
      const slots = Math.round(moved / this.made.view.step);
      if (this.drag.isMoved) this.range(this.drag.first - slots, this.drag.last - slots);
    } else {
      this.go(this.rowAt(event));
    }
  }

  pinch(event) {
    const apart = () => Math.abs(Math.max(...this.pointers.values()) - Math.min(...this.pointers.values())) || 1;
    const before = apart();
    this.pointers.set(event.pointerId, event.clientX);
    if (this.drag) this.drag.isMoved = true;
    this.zoom(before / apart(), Math.round((this.model.first + this.model.last) / 2));
  }

  wheel(event) {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.move(Math.round(event.deltaX / this.made.view.step));
    else this.zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, this.windowAt(event));
  }

  key(event) {
    const { first, last } = this.model;
    const page = Math.max(Math.round((last - first + 1) / 4), 1);
    const does = {
      ArrowLeft: () => (event.shiftKey ? this.move(-page) : this.go(this.row - 1)),
      ArrowRight: () => (event.shiftKey ? this.move(page) : this.go(this.row + 1)),
      PageUp: () => this.move(first - last - 1),
      PageDown: () => this.move(last - first + 1),
      Home: () => this.go(0),
      End: () => this.go(Infinity),
      "+": () => this.zoom(0.7),
      "=": () => this.zoom(0.7),
      "-": () => this.zoom(1 / 0.7),
      0: () => this.all(),
      Enter: () => this.told.picked(this.row),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    does();
  }
}
