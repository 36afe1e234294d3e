// SPDX-License-Identifier: GPL-2.0-only
/* What a run's timeline shows, in lanes below one another, drawn for a range of time. */

const RELEASED = 0, RESENT = 1, DROPPED = 2, STILL_HELD = 3;
const OUTCOMES = ["released", "resent", "dropped", "still held at the end"];
const PHASES = ["requested", "paused", "committed", "resumed"];
const HELD_ROWS = 12;
const MARK_PX = 7; // how near a pointer has to come
const LANES = [
  {name: "held", title: "Packets held", height: 88},
  {name: "released", title: "Released", height: 30},
  {name: "dropped", title: "Dropped", height: 30},
  {name: "mismatch", title: "Mismatches", height: 30},
  {name: "checkpoint", title: "Checkpoints", height: 36},
  {name: "primary", title: "Primary paused", height: 20},
  {name: "secondary", title: "Secondary paused", height: 20},
  {name: "failover", title: "Failover, stale", height: 34},
];
const LANE_GAP = 6;
const AXIS_HEIGHT = 26;
const TIMELINE_HEIGHT =
  AXIS_HEIGHT + LANES.reduce((sum, lane) => sum + lane.height + LANE_GAP, LANE_GAP);

const UNITS = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];

/* A time with as many digits as a step of this size needs. */
function timeText(ns, step = Math.abs(ns) / 1000) {
  if (ns === 0) return "0";
  const [unit, name] = UNITS.find(([size]) => Math.abs(ns) >= size) || UNITS[3];
  const digits = Math.min(9, Math.max(0, Math.ceil(-Math.log10(Math.max(step, 1e-3) / unit))));
  return `${(ns / unit).toFixed(unit === 1 ? 0 : digits)} ${name}`;
}

/* Columns of the page's data as typed arrays, and a row for each held packet to be drawn in. */
function unpackPackets(columns) {
  const count = columns.from.length;
  const packets = {count};
  packets.from = new Float64Array(count);
  packets.till = new Float64Array(count);
  packets.row = new Uint8Array(count);
  const free = new Float64Array(HELD_ROWS).fill(-1);
  let at = 0;
  for (let i = 0; i < count; i++) {
    at += columns.from[i];
    packets.from[i] = at;
    packets.till[i] = at + columns.held[i];
    let row = free.findIndex((till) => till <= at);
    if (row < 0) row = i % HELD_ROWS;
    packets.row[i] = row;
    if (columns.held[i] > 0) free[row] = Math.max(free[row], packets.till[i]);
  }
  for (const name of ["what", "pair", "flow", "seq", "bytes", "reason", "side"]) {
    packets[name] = columns[name];
  }
  return packets;
}

class Lanes {
  constructor(run) {
    this.run = run;
    this.packets = unpackPackets(run.packets);
    this.pair = -1;
  }

  /* Only one pair of several; -1 for all. */
  isShown(pair) {
    return this.pair < 0 || this.pair === pair;
  }

  get mismatches() {
    return this.run.mismatches.filter((mismatch) => this.isShown(mismatch.pair));
  }

  topOf(name) {
    let top = AXIS_HEIGHT + LANE_GAP;
    for (const lane of LANES) {
      if (lane.name === name) return top;
      top += lane.height + LANE_GAP;
    }
    return top;
  }

  heightOf(name) {
    return LANES.find((lane) => lane.name === name).height;
  }

  draw(pen, view, colours) {
    this.colours = colours;
    this.drawFrame(pen, view);
    pen.save();
    pen.beginPath();
    pen.rect(view.left, 0, view.width, TIMELINE_HEIGHT);
    pen.clip();
    const shown = this.drawPackets(pen, view);
    this.drawBars(pen, view);
    this.drawMismatches(pen, view);
    this.drawFailover(pen, view);
    pen.restore();
    return shown;
  }

  drawFrame(pen, view) {
    pen.fillStyle = this.colours.paper;
    pen.fillRect(0, 0, view.left + view.width + NEAR_PX, TIMELINE_HEIGHT); // all of it
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    this.drawAxis(pen, view);
    for (const lane of LANES) {
      const top = this.topOf(lane.name);
      pen.fillStyle = this.colours.panel;
      pen.fillRect(view.left, top, view.width, lane.height);
      pen.fillStyle = this.colours.ink;
      pen.textAlign = "right";
      pen.fillText(lane.title, view.left - 8, top + lane.height / 2);
    }
  }

  drawAxis(pen, view) {
    const rough = (view.till - view.from) / Math.max(2, view.width / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough);
    pen.textAlign = "center";
    for (let n = Math.ceil(view.from / step); n * step <= view.till; n++) {
      const x = view.xOf(n * step);
      pen.fillStyle = this.colours.line;
      pen.fillRect(Math.round(x), AXIS_HEIGHT - 4, 1, TIMELINE_HEIGHT);
      pen.fillStyle = this.colours.faint;
      pen.fillText(timeText(n * step, step), x, AXIS_HEIGHT / 2 - 1);
    }
  }

  /* Where there are more than one can see, a column tells how many there are. */
  drawPackets(pen, view) {
    const {from, till, what, pair, count} = this.packets;
    const columns = Math.ceil(view.width);
    const held = [];
    const ended = [new Uint32Array(columns), new Uint32Array(columns)];
    const starts = new Int32Array(columns + 1);
    let shown = 0;
    for (let i = 0; i < count && from[i] <= view.till; i++) {
      if (till[i] < view.from || !this.isShown(pair[i])) continue;
      shown++;
      if (till[i] > from[i]) {
        const first = Math.max(0, Math.floor(view.xOf(from[i]) - view.left));
        const last = Math.min(columns - 1, Math.floor(view.xOf(till[i]) - view.left));
        starts[first]++;
        starts[last + 1]--;
        if (held.length <= 2 * columns) held.push(i);
      }
      const x = Math.floor(view.xOf(till[i]) - view.left);
      if (what[i] !== STILL_HELD && x >= 0 && x < columns) {
        ended[what[i] === DROPPED ? 1 : 0][x]++;
      }
    }
    this.isBinned = held.length > 2 * columns;
    if (this.isBinned) this.drawHeldColumns(pen, view, starts);
    else this.drawHeldBars(pen, view, held);
    this.drawEnds(pen, view, "released", ended[0]);
    this.drawEnds(pen, view, "dropped", ended[1]);
    return shown;
  }

  drawHeldBars(pen, view, held) {
    const {from, till, row, what} = this.packets;
    const top = this.topOf("held");
    const height = this.heightOf("held") / HELD_ROWS;
    for (const i of held) {
      const x = view.edgeOf(from[i]);
      const width = Math.max(1, view.edgeOf(till[i]) - x);
      pen.fillStyle = what[i] === DROPPED ? this.colours.dropped : this.colours.held;
      pen.fillRect(x, top + row[i] * height + 1, width, height - 1);
      if (what[i] === DROPPED && width > 4) {
        pen.fillStyle = this.colours.panel; // hollow, for those who see no colours
        pen.fillRect(x + 1, top + row[i] * height + 2, width - 2, Math.max(1, height - 3));
      }
    }
  }

  drawHeldColumns(pen, view, starts) {
    const top = this.topOf("held");
    const height = this.heightOf("held");
    const counts = new Uint32Array(starts.length - 1);
    let now = 0, most = 1;
    for (let x = 0; x < counts.length; x++) {
      now += starts[x];
      counts[x] = now;
      most = Math.max(most, now);
    }
    pen.fillStyle = this.colours.held;
    counts.forEach((n, x) => {
      const tall = (n / most) * (height - 14);
      pen.fillRect(view.left + x, top + height - tall, 1, tall);
    });
    pen.fillStyle = this.colours.faint;
    pen.textAlign = "left";
    pen.fillText(`up to ${most} a pixel; zoom in for each packet`, view.left + 6, top + 8);
  }

  drawEnds(pen, view, name, counts) {
    const top = this.topOf(name);
    const height = this.heightOf(name);
    const most = counts.reduce((a, b) => Math.max(a, b), 1);
    pen.fillStyle = pen.strokeStyle = this.colours[name];
    counts.forEach((n, x) => {
      if (!n) return;
      const tall = 8 + (height - 10) * Math.sqrt((n - 1) / Math.max(1, most - 1));
      if (name === "dropped" && most === 1) {
        cross(pen, view.left + x + 0.5, top + height / 2);
      } else {
        pen.fillRect(view.left + x, top + height - tall, 1.5, tall);
      }
    });
  }

  drawMismatches(pen, view) {
    const y = this.topOf("mismatch") + this.heightOf("mismatch") / 2;
    let last = -Infinity;
    for (const mismatch of this.run.mismatches) {
      const x = view.xOf(mismatch.t);
      const isChosen = mismatch === this.chosen;
      if (!this.isShown(mismatch.pair) || !view.isNear(x)) continue;
      if (x - last < 1 && !isChosen) continue;
      last = x;
      pen.fillStyle = this.colours.mismatch;
      diamond(pen, x, y, isChosen ? 10 : 6);
      pen.fill();
      if (isChosen) {
        pen.strokeStyle = this.colours.ink;
        pen.lineWidth = 2;
        pen.stroke();
        pen.lineWidth = 1;
      }
    }
  }

  drawBars(pen, view) {
    for (const checkpoint of this.run.checkpoints) {
      const {from, till} = boundsOf(checkpoint);
      if (this.isShown(checkpoint.pair) && from <= view.till && till >= view.from) {
        this.drawCheckpoint(pen, view, checkpoint);
      }
    }
    pen.fillStyle = this.colours.paused;
    for (const pause of this.run.pauses) {
      const x = view.edgeOf(pause.from);
      if (!this.isShown(pause.pair) || pause.from > view.till || pause.till < view.from) continue;
      pen.fillRect(x, this.topOf(pause.guest) + 3, Math.max(1, view.edgeOf(pause.till) - x),
                   this.heightOf(pause.guest) - 6);
    }
  }

  /* Low from the request on, high while the guest is paused, half from the commit on. */
  drawCheckpoint(pen, view, checkpoint) {
    const bottom = this.topOf("checkpoint") + this.heightOf("checkpoint") - 2;
    const heights = {requested: 4, paused: 19, committed: 10, resumed: 4};
    const phases = PHASES.filter((phase) => phase in checkpoint.phases);
    pen.fillStyle = this.colours.checkpoint;
    phases.forEach((phase, i) => {
      const x = view.edgeOf(checkpoint.phases[phase]);
      const next = i + 1 < phases.length ? view.edgeOf(checkpoint.phases[phases[i + 1]]) : x + 1;
      pen.fillRect(x, bottom - heights[phase], Math.max(1, next - x), heights[phase]);
    });
    const {from, till} = boundsOf(checkpoint);
    if (view.xOf(till) - view.xOf(from) > 70) {
      pen.fillStyle = this.colours.ink;
      pen.textAlign = "left";
      const x = Math.max(view.xOf(from), view.left + 2);
      pen.fillText(`epoch ${checkpoint.epoch}`, x, bottom - 26);
    }
  }

  drawFailover(pen, view) {
    const top = this.topOf("failover");
    this.run.failovers.forEach((step, i) => {
      const x = view.xOf(step.t);
      if (!this.isShown(step.pair) || !view.isNear(x)) return;
      pen.fillStyle = this.colours.failover;
      pen.beginPath();
      pen.moveTo(x, top + 4);
      pen.lineTo(x + 5, top + 14);
      pen.lineTo(x - 5, top + 14);
      pen.fill();
      pen.fillRect(x - 0.5, top + 14, 1, 18);
      const isAtEnd = x > view.left + view.width - 80;
      pen.textAlign = isAtEnd ? "right" : "left";
      if (step.step !== "stale") {
        pen.fillText(step.step, x + (isAtEnd ? -7 : 7), top + 8 + (i % 3) * 10);
      }
    });
  }

  /* What is under the pointer: {kind, text, mismatch}, or null. */
  find(x, y, view) {
    const lane = LANES.find((each) => {
      const top = this.topOf(each.name);
      return y >= top && y < top + each.height;
    });
    if (!lane || x < view.left) return null;
    const slack = (MARK_PX * (view.till - view.from)) / view.width;
    const at = view.timeOf(x);
    if (lane.name === "mismatch") return this.findMismatch(at, slack);
    if (lane.name === "failover") return this.findPoint(this.run.failovers, at, slack);
    if (lane.name === "checkpoint") return this.findCheckpoint(at, slack);
    if (lane.name === "primary" || lane.name === "secondary") {
      return this.findPause(lane.name, at, slack);
    }
    return this.findPacket(lane.name, at, slack, y);
  }

  findMismatch(at, slack) {
    const mismatch = nearest(this.mismatches, (each) => each.t, at, slack);
    if (!mismatch) return null;
    const text = `mismatch at ${timeText(mismatch.t)}: ${mismatch.reason}\n${mismatch.flow}\n` +
      `position ${mismatch.position}\nclick: both packets`;
    return {mismatch, text};
  }

  findPoint(points, at, slack) {
    const shown = points.filter((each) => this.isShown(each.pair));
    const point = nearest(shown, (each) => each.t, at, slack);
    return point && {text: `${timeText(point.t)}: ${point.host} host, ${point.step}`};
  }

  findCheckpoint(at, slack) {
    const found = this.run.checkpoints.find((each) => {
      const {from, till} = boundsOf(each);
      return this.isShown(each.pair) && from - slack <= at && at <= till + slack;
    });
    if (!found) return null;
    const phases = PHASES.filter((phase) => phase in found.phases)
      .map((phase) => `${phase} ${timeText(found.phases[phase])}`);
    return {text: [`checkpoint of epoch ${found.epoch}: ${found.reason}`, ...phases].join("\n")};
  }

  findPause(guest, at, slack) {
    const found = this.run.pauses.find((each) => each.guest === guest &&
      this.isShown(each.pair) && each.from - slack <= at && at <= each.till + slack);
    if (!found) return null;
    const length = timeText(found.till - found.from);
    return {text: `${guest} paused for ${length}\nfrom ${timeText(found.from)}`};
  }

  findPacket(lane, at, slack, y) {
    const {from, till, what, row, pair, count} = this.packets;
    const height = this.heightOf("held") / HELD_ROWS;
    const wantedRow = Math.floor((y - this.topOf("held")) / height);
    let best = -1, bestGap = Infinity;
    for (let i = 0; i < count && from[i] <= at + slack; i++) {
      if (!this.isShown(pair[i])) continue;
      let gap = Math.abs(till[i] - at);
      if (lane === "held") {
        if (till[i] === from[i] || (!this.isBinned && row[i] !== wantedRow)) continue;
        gap = at < from[i] ? from[i] - at : Math.max(0, at - till[i]);
      } else if (what[i] === STILL_HELD || (lane === "dropped") !== (what[i] === DROPPED)) {
        continue;
      }
      if (gap < bestGap && gap <= slack) [best, bestGap] = [i, gap];
    }
    return best < 0 ? null : {text: this.describePacket(best)};
  }

  describePacket(i) {
    const {from, till, what, flow, seq, bytes, reason, side} = this.packets;
    const lines = [
      `${OUTCOMES[what[i]]} at ${timeText(till[i])}` +
        (this.run.reasons[reason[i]] && `: ${this.run.reasons[reason[i]]}`),
      this.run.flows[flow[i]] || "no connection",
      `${side[i] ? "secondary" : "primary"}, seq ${seq[i]}, ${bytes[i]} bytes`,
    ];
    if (till[i] > from[i]) {
      lines.push(`held for ${timeText(till[i] - from[i])} from ${timeText(from[i])}`);
    }
    return lines.join("\n");
  }
}

function nearest(points, timeOf, at, slack) {
  let best = null;
  for (const point of points) {
    const gap = Math.abs(timeOf(point) - at);
    if (gap <= slack && (!best || gap < Math.abs(timeOf(best) - at))) best = point;
  }
  return best;
}

function boundsOf(checkpoint) {
  const times = Object.values(checkpoint.phases);
  return {from: Math.min(...times), till: Math.max(...times)};
}

function diamond(pen, x, y, radius) {
  pen.beginPath();
  pen.moveTo(x, y - radius);
  pen.lineTo(x + radius, y);
  pen.lineTo(x, y + radius);
  pen.lineTo(x - radius, y);
  pen.closePath();
}

function cross(pen, x, y) {
  pen.beginPath();
  pen.moveTo(x - 4, y - 4);
  pen.lineTo(x + 4, y + 4);
  pen.moveTo(x + 4, y - 4);
  pen.lineTo(x - 4, y + 4);
  pen.stroke();
}
