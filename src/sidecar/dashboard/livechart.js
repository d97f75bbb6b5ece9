// The last minute of live power on a canvas. Time is cut into a fixed number of bins, each with its lowest and highest
// reading: however short the interval, memory and drawing stay the same, and no spike is lost.

import { colour, curveColour, onThemeChange, wantsLittleMotion } from './theme.js';
import { fixed } from './format.js';

export const WINDOW_S = 60;
const BINS = 600;
const BIN_S = WINDOW_S / BINS;
const MARGIN = { left: 52, right: 26, top: 8, bottom: 20 };
// Noise alone should not fill the chart.
const LEAST_SPAN = { dBm: 0.5, mW: 1e-6 };

export class LiveChart {
  #canvas;
  #bins;
  #unit = 'dBm';
  #gapS = 1;
  #shown;
  #due = false;
  #drawnAt = 0;

  constructor(canvas, channels) {
    this.#canvas = canvas;
    this.#shown = new Array(channels).fill(true);
    this.clear();
    new ResizeObserver(() => this.#schedule()).observe(canvas);
    onThemeChange(() => this.#schedule());
  }

  /** Forgets everything; points further apart than `gapS` will not be joined. */
  clear(gapS = 1) {
    this.#gapS = gapS;
    this.#bins = Array.from({ length: BINS }, () => ({ number: -1, busy: false, low: [], high: [], last: [] }));
    this.#schedule();
  }

  show(channel, shown) {
    this.#shown[channel] = shown;
    this.#schedule();
  }

  /** Takes the readings of now; `null` values while the instrument is busy. */
  add(values, unit, busy) {
    if (unit !== this.#unit) {
      this.#unit = unit;
      this.clear(this.#gapS);
    }
    const number = Math.floor(performance.now() / 1000 / BIN_S);
    const bin = this.#bins[number % BINS];
    if (bin.number !== number) Object.assign(bin, { number, busy, low: [], high: [], last: [] });
    bin.busy = busy;
    if (!busy) {
      values.forEach((value, channel) => {
        if (!Number.isFinite(value)) return;
        bin.low[channel] = Math.min(bin.low[channel] ?? value, value);
        bin.high[channel] = Math.max(bin.high[channel] ?? value, value);
        bin.last[channel] = value;
      });
    }
    this.#schedule();
  }

  #schedule() {
    if (this.#due) return;
    this.#due = true;
    const pause = (wantsLittleMotion() ? 1000 : 50) - (performance.now() - this.#drawnAt);
    setTimeout(() => requestAnimationFrame(() => this.#draw()), Math.max(0, pause));
  }

  #draw() {
    this.#due = false;
    this.#drawnAt = performance.now();
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0) return;
    const scale = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const pen = this.#canvas.getContext('2d');
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = '11px system-ui, sans-serif';

    const newest = Math.floor(performance.now() / 1000 / BIN_S);
    const bins = this.#bins.filter((bin) => bin.number > newest - BINS).sort((a, b) => a.number - b.number);
    const [low, high] = this.#range(bins);
    const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const x = (number) => MARGIN.left + ((number - newest + BINS) / BINS) * inner.width;
    const y = (value) => MARGIN.top + (1 - (value - low) / (high - low)) * inner.height;

    this.#drawBusy(pen, bins, x, inner);
    this.#drawAxes(pen, { low, high, x, y, newest, width, inner });
    const ends = [];
    this.#shown.forEach((shown, channel) => {
      if (!shown) return;
      const end = this.#drawCurve(pen, bins, channel, x, y);
      if (end !== null) ends.push({ channel, y: end });
    });
    drawEnds(pen, ends, width, height);
  }

  #range(bins) {
    let [low, high] = [Infinity, -Infinity];
    for (const bin of bins) {
      this.#shown.forEach((shown, channel) => {
        if (!shown || bin.last[channel] === undefined) return;
        low = Math.min(low, bin.low[channel]);
        high = Math.max(high, bin.high[channel]);
      });
    }
    if (low > high) return [-1, 0];
    const span = Math.max(high - low, LEAST_SPAN[this.#unit] ?? 0.5);
    const middle = (low + high) / 2;
    return [middle - span * 0.58, middle + span * 0.58];
  }

  #drawBusy(pen, bins, x, inner) {
    pen.fillStyle = colour('busy');
    const step = x(1) - x(0);
    for (const bin of bins) if (bin.busy) pen.fillRect(x(bin.number), MARGIN.top, step + 0.5, inner.height);
  }

  #drawAxes(pen, { low, high, x, y, newest, width, inner }) {
    pen.strokeStyle = colour('grid');
    pen.fillStyle = colour('dim');
    pen.lineWidth = 1;
    pen.textBaseline = 'middle';
    pen.textAlign = 'right';
    const step = niceStep((high - low) / Math.max(2, inner.height / 22));
    const decimals = Math.max(0, Math.min(9, -Math.floor(Math.log10(step) + 1e-9)));
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
      line(pen, MARGIN.left, y(value), width - MARGIN.right, y(value));
      pen.fillText(fixed(value, decimals), MARGIN.left - 6, y(value));
    }
    pen.textBaseline = 'alphabetic';
    pen.textAlign = 'center';
    const bottom = MARGIN.top + inner.height;
    const every = inner.width < 380 ? 20 : 10;
    for (let ago = 0; ago <= WINDOW_S; ago += every) {
      const at = x(newest - ago / BIN_S);
      line(pen, at, MARGIN.top, at, bottom);
      pen.fillText(ago === 0 ? 'now' : `\u2212${ago} s`, at, bottom + 14);
    }
    pen.textAlign = 'left';
    pen.fillText(this.#unit, 4, bottom + 14);
  }

  #drawCurve(pen, bins, channel, x, y) {
    pen.strokeStyle = curveColour(channel);
    pen.lineWidth = 1.5;
    pen.lineJoin = 'round';
    pen.beginPath();
    let before = null;
    for (const bin of bins) {
      if (bin.busy) before = null;
      if (bin.last[channel] === undefined) continue;
      const at = x(bin.number);
      if (before === null || (bin.number - before) * BIN_S > this.#gapS) pen.moveTo(at, y(bin.last[channel]));
      if (bin.high[channel] > bin.low[channel]) {
        pen.lineTo(at, y(bin.low[channel]));
        pen.lineTo(at, y(bin.high[channel]));
      }
      pen.lineTo(at, y(bin.last[channel]));
      before = bin.number;
    }
    pen.stroke();
    const last = bins.findLast((bin) => bin.last[channel] !== undefined);
    return last ? y(last.last[channel]) : null;
  }
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
  pen.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
  pen.stroke();
}

/** Channel numbers beside the ends of their curves, pushed apart: colour is not the only mark. */
function drawEnds(pen, ends, width, height) {
  ends.sort((a, b) => a.y - b.y);
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  pen.font = 'bold 11px system-ui, sans-serif';
  let lowest = -Infinity;
  ends.forEach(({ channel, y }, position) => {
    const room = height - MARGIN.bottom - 13 * (ends.length - 1 - position);
    const at = Math.max(Math.min(y, room), lowest + 13);
    lowest = at;
    pen.fillStyle = curveColour(channel);
    pen.fillText(String(channel + 1), width - MARGIN.right + 8, at);
  });
}

function niceStep(least) {
  const size = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * size).find((step) => step >= least);
}
