// A chart of two series over the last two minutes, with axes, values, and a text for those who can't see it.

import { $, write } from "./dom.js";

const span = 120_000, left = 44, bottom = 16, top = 6;

export class Chart {
  #canvas; #id; #names; #unit; #points = [];  // {at, values}

  constructor(id, names, unit = "") {
    this.#canvas = $(id);
    this.#id = id;
    this.#names = names;
    this.#unit = unit;
  }

  // A value that is undefined was not measured: the line has a gap there.
  add(at, values) {
    this.#points.push({ at, values });
    while (this.#points[0].at < at - span) this.#points.shift();
    this.#names.forEach((name, which) => write($(`${this.#id}-${which}`), `${name} ${this.#shown(values[which])}`));
    this.#canvas.setAttribute("aria-label", this.#names.map((name, which) => `${name}: now ${this.#shown(values[which])}, at most ${this.#shown(this.#most(which))} in two minutes`).join("; "));
  }

  clear() {
    this.#points = [];
  }

  #shown(value) {
    if (value === undefined) return "–";
    return (value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1)) + this.#unit;
  }

  #most(which) {
    const values = this.#points.map(({ values }) => values[which]).filter((value) => value !== undefined);
    return values.length ? Math.max(...values) : undefined;
  }

  draw() {
    const canvas = this.#canvas, style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name);
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    const most = roundUp(Math.max(1, this.#most(0) ?? 0, this.#most(1) ?? 0));
    const now = this.#points.at(-1)?.at ?? 0;
    const x = (at) => left + ((width - left - 4) * (at - now + span)) / span;
    const y = (value) => top + (height - top - bottom) * (1 - value / most);
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const value of [0, most / 2, most]) {
      pen.strokeStyle = colour("--line");
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(left, y(value));
      pen.lineTo(width - 4, y(value));
      pen.stroke();
      pen.fillStyle = colour("--faint");
      pen.fillText(this.#shown(value), left - 5, y(value));
    }
    pen.textBaseline = "alphabetic";
    for (const [text, at, align] of [["2 min ago", now - span, "left"], ["1 min", now - span / 2, "center"], ["now", now, "right"]]) {
      pen.textAlign = align;
      pen.fillText(text, x(at), height - 3);
    }
    this.#names.forEach((_, which) => {
      pen.strokeStyle = colour(which ? "--two" : "--one");
      pen.lineWidth = 1.5;
      pen.beginPath();
      let drawing = false;
      for (const { at, values } of this.#points) {
        if (values[which] === undefined) drawing = false;
        else if (drawing) pen.lineTo(x(at), y(values[which]));
        else pen.moveTo(x(at), y(values[which])), drawing = true;
      }
      pen.stroke();
    });
  }
}

// To 1, 2 or 5 times a power of ten, so that the labels of the axis are short.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((times) => times * power).find((bound) => bound >= value);
}
