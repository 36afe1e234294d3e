// SPDX-License-Identifier: GPL-2.0-only
/* One run's timeline: zoom, pan, hover, and the packets of a mismatch that is chosen. */

const SPAN_MIN_NS = 100;
const ZOOM_STEP = 1.25;
const PAN_SHARE = 0.15;
const CLICK_PX = 4;
const NEAR_PX = 100; // beyond the edges, so that what reaches in is drawn

/* A range of time, in nanoseconds, and the pixels that it is drawn on. */
class View {
  constructor({from, till}) {
    Object.assign(this, {from, till, left: 130, width: 1});
  }

  xOf(ns) {
    return this.left + ((ns - this.from) / (this.till - this.from)) * this.width;
  }

  /* Of a bar, which may begin and end far outside of what is drawn. */
  edgeOf(ns) {
    return Math.min(Math.max(this.xOf(ns), this.left - NEAR_PX), this.left + this.width + NEAR_PX);
  }

  isNear(x) {
    return x > this.left - NEAR_PX && x < this.left + this.width + NEAR_PX;
  }

  timeOf(x) {
    return this.from + ((x - this.left) / this.width) * (this.till - this.from);
  }
}

class Timeline {
  constructor(root, run) {
    this.root = root;
    this.run = run;
    this.lanes = new Lanes(run);
    const margin = Math.max(SPAN_MIN_NS, (run.till - run.from) * 0.02);
    this.whole = {from: run.from - margin, till: run.till + margin};
    this.view = new View(this.whole);
    this.build();
    this.listen();
    this.resize();
  }

  build() {
    const button = (text, label, act) => {
      const made = element("button", {type: "button", "aria-label": label, title: label}, text);
      made.addEventListener("click", act);
      return made;
    };
    const group = (...children) => element("span", {class: "group"}, ...children);
    this.range = element("span", {class: "range", role: "status"});
    this.place = element("span", {class: "place"});
    this.previous = button("◀", "previous mismatch", () => this.step(-1));
    this.next = button("▶", "next mismatch", () => this.step(1));
    const tools = element("div", {class: "tools"},
      group(button("−", "zoom out", () => this.zoom(ZOOM_STEP ** 2)),
            button("+", "zoom in", () => this.zoom(ZOOM_STEP ** -2)),
            button("←", "earlier", () => this.pan(-PAN_SHARE)),
            button("→", "later", () => this.pan(PAN_SHARE)),
            button("Reset", "show all", () => this.show(this.whole.from, this.whole.till))),
      group(this.previous, this.next), this.place, this.range);
    if (this.run.pairs.length > 1) tools.append(this.pairChoice());
    this.canvas = element("canvas", {
      tabindex: 0, role: "img", "aria-label": `Timeline of ${this.run.name}. ` +
        "Arrow keys move and zoom, Home shows all, n and p go to the next and previous mismatch.",
    });
    this.hover = element("div", {class: "hover", hidden: true});
    this.details = element("div", {class: "mismatch", "aria-live": "polite", hidden: true});
    const box = element("div", {class: "timeline"}, this.canvas, this.hover);
    this.root.append(tools, box, howTo(), this.details);
    this.tell();
  }

  pairChoice() {
    const select = element("select", {"aria-label": "pair"}, element("option", {value: -1}, "all"));
    for (const pair of this.run.pairs) select.append(element("option", {value: pair}, pair));
    select.addEventListener("change", () => {
      this.lanes.pair = Number(select.value);
      this.tell();
      this.redraw();
    });
    return element("label", {}, "Pair ", select);
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        this.pan(event.deltaX / this.view.width);
      } else {
        this.zoom(event.deltaY > 0 ? ZOOM_STEP : 1 / ZOOM_STEP, event.offsetX);
      }
    }, {passive: false});
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.drag = {x: event.offsetX, last: event.offsetX, isClick: true};
    });
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.drop(event));
    canvas.addEventListener("pointercancel", () => this.endDrag());
    canvas.addEventListener("pointerleave", () => (this.hover.hidden = true));
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  move(event) {
    if (!this.drag) {
      this.point(event);
      return;
    }
    if (Math.abs(event.offsetX - this.drag.x) >= CLICK_PX) this.drag.isClick = false;
    if (this.drag.isClick) return;
    this.canvas.classList.add("dragged");
    this.pan((this.drag.last - event.offsetX) / this.view.width);
    this.drag.last = event.offsetX;
  }

  drop(event) {
    const found = this.drag && this.drag.isClick &&
      this.lanes.find(event.offsetX, event.offsetY, this.view);
    this.endDrag();
    if (found && found.mismatch) this.choose(found.mismatch);
  }

  endDrag() {
    this.drag = null;
    this.canvas.classList.remove("dragged");
  }

  point(event) {
    const found = this.lanes.find(event.offsetX, event.offsetY, this.view);
    this.hover.hidden = !found;
    this.canvas.style.cursor = found && found.mismatch ? "pointer" : "";
    if (!found) return;
    this.hover.textContent = found.text;
    const right = this.canvas.clientWidth - this.hover.offsetWidth - 8;
    const x = Math.max(0, Math.min(event.offsetX + 12, right));
    this.hover.style.transform = `translate(${x}px, ${event.offsetY + 16}px)`;
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const act = {
      ArrowLeft: () => this.pan(-PAN_SHARE),
      ArrowRight: () => this.pan(PAN_SHARE),
      ArrowUp: () => this.zoom(1 / ZOOM_STEP),
      ArrowDown: () => this.zoom(ZOOM_STEP),
      "+": () => this.zoom(1 / ZOOM_STEP),
      "-": () => this.zoom(ZOOM_STEP),
      Home: () => this.show(this.whole.from, this.whole.till),
      n: () => this.step(1),
      p: () => this.step(-1),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /* Keeps the time under x where it is. */
  zoom(factor, x = this.view.left + this.view.width / 2) {
    const at = this.view.timeOf(Math.max(x, this.view.left));
    const share = (at - this.view.from) / (this.view.till - this.view.from);
    const whole = this.whole.till - this.whole.from;
    const span = (this.view.till - this.view.from) * factor;
    const kept = Math.min(whole, Math.max(SPAN_MIN_NS, span));
    this.show(at - share * kept, at + (1 - share) * kept);
  }

  pan(share) {
    const by = share * (this.view.till - this.view.from);
    this.show(this.view.from + by, this.view.till + by);
  }

  /* Never beyond the run's ends. */
  show(from, till) {
    const span = till - from;
    this.view.from = Math.min(Math.max(from, this.whole.from), this.whole.till - span);
    this.view.till = this.view.from + span;
    this.hover.hidden = true;
    this.redraw();
  }

  step(by) {
    const all = this.lanes.mismatches;
    if (!all.length) return;
    const at = all.indexOf(this.lanes.chosen);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by;
    if (next < 0 || next >= all.length) return;
    const mismatch = all[next];
    if (mismatch.t < this.view.from || mismatch.t > this.view.till) {
      const half = (this.view.till - this.view.from) / 2;
      this.show(mismatch.t - half, mismatch.t + half);
    }
    this.choose(mismatch);
  }

  choose(mismatch) {
    this.lanes.chosen = mismatch;
    const heading = `Mismatch at ${timeText(mismatch.t, 1)}: ${mismatch.reason}`;
    const meaning = DATA.meanings[mismatch.reason];
    const where = `${mismatch.flow || "no connection"}, position ${mismatch.position}, ` +
      `pair ${mismatch.pair}`;
    this.details.hidden = false;
    this.details.replaceChildren(
      element("h3", {}, meaning ? `${heading} (${meaning})` : heading),
      element("div", {}, where), packetsOf(mismatch));
    if (mismatch.primary && mismatch.secondary) this.details.append(legend());
    this.tell();
    this.redraw();
  }

  tell() {
    const all = this.lanes.mismatches;
    const at = all.indexOf(this.lanes.chosen);
    this.place.textContent = !all.length ? "no mismatch"
      : at < 0 ? `${all.length} mismatches: click one`
      : `mismatch ${at + 1} of ${all.length}`;
    this.previous.disabled = !all.length || at === 0;
    this.next.disabled = !all.length || at === all.length - 1;
  }

  resize() {
    const scale = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    if (!width) return; // not laid out yet
    this.view.width = Math.max(50, width - this.view.left - 10);
    this.canvas.style.height = `${TIMELINE_HEIGHT}px`;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(TIMELINE_HEIGHT * scale);
    this.redraw();
  }

  redraw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.isDue = false;
    const begun = performance.now();
    const scale = window.devicePixelRatio || 1;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const shown = this.lanes.draw(pen, this.view, coloursOf(this.root));
    const {from, till} = this.view;
    const span = till - from;
    this.range.textContent = `${timeText(Math.max(0, from), span / 100)} to ` +
      `${timeText(till, span / 100)} (${timeText(span)}), ${shown} packets`;
    Object.assign(this.root.dataset, {from, till, shown, drawn_ms: performance.now() - begun});
  }
}

function coloursOf(node) {
  const style = getComputedStyle(node);
  const names = ["paper", "panel", "ink", "faint", "line", "held", "released", "dropped",
                 "mismatch", "checkpoint", "paused", "failover"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`)]));
}

function howTo() {
  return element("details", {}, element("summary", {}, "How to read and move it"),
    element("p", {}, "The wheel zooms, dragging moves, a click on a diamond shows both packets " +
      "of that mismatch; what is under the pointer is told. With the timeline in focus: arrow " +
      "keys, + and −, Home for all, n and p for the next and previous mismatch. A hollow bar is " +
      "a packet that was dropped in the end. A checkpoint is low from its request on, high from " +
      "the pause on, and half as high from the commit until both guests go on."));
}

function legend() {
  return element("p", {class: "legend"},
    element("mark", {class: "differs"}, "so"), " differs; ",
    element("mark", {class: "header"}, "so"), " differs in the headers, of which only some are " +
    "compared; ",
    element("span", {class: "alone"}, "so"), " has no counterpart in the other packet");
}
