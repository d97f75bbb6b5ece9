// @ts-check
// The last minute of live power. Time is cut into a fixed number of bins, each with its lowest and highest reading:
// however short the interval, memory and drawing stay the same, and no spike is lost.

import { apart } from './apart.js';
import { isDark } from './format.js';
import { axisOfChart, loadPlotly } from './plot.js';
import { colour, curveColour, onThemeChange, wantsLittleMotion } from './theme.js';

const WINDOW_S = 60;
const BINS = 600;
const BIN_S = WINDOW_S / BINS;
// Drawing more often shows no more on a minute's width, and costs the phone its battery.
const DRAW_MS = 200;
// Noise alone should not fill the chart.
const LEAST_SPAN = { dBm: 2, mW: 1e-6 };
// Below this level a detector is dark: its noise does not decide about the scale.
const FLOOR = { dBm: -70, mW: 1e-7 };
const LONGEST_NAME = 9;
// The space around the drawing area, px, and the height of a name in it.
const MARGIN = { l: 74, r: 62, t: 8, b: 22 };
const NAME_PX = 13;

export class LiveChart {
  #place;
  #bins;
  #unit = 'dBm';
  #gapS = 1;
  #shown;
  #names = [];
  #due = false;
  #drawnAt = 0;

  constructor(place, channels) {
    this.#place = place;
    this.#shown = new Array(channels).fill(true);
    this.clear();
    new ResizeObserver(() => this.#schedule()).observe(place);
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

  /** The names of the channels, at the ends of their curves. */
  name(names) {
    this.#names = names.map((name) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}\u2026` : name));
    this.#schedule();
  }

  /** Takes the readings of now; `null` values while the instrument is busy. */
  add(values, unit, busy) {
    if (unit !== this.#unit) {
      this.#unit = unit;
      this.clear(this.#gapS);
    }
    const number = now();
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
    const pause = (wantsLittleMotion() ? 1000 : DRAW_MS) - (performance.now() - this.#drawnAt);
    setTimeout(() => requestAnimationFrame(() => this.#draw()), Math.max(0, pause));
  }

  async #draw() {
    try {
      const Plotly = await loadPlotly();
      if (this.#place.clientWidth > 0) await Plotly.react(this.#place, ...this.#picture());
    } catch {
      // The numbers above go on without a picture; the next reading tries again.
    }
    this.#drawnAt = performance.now();
    this.#due = false;
  }

  #picture() {
    const newest = now();
    const bins = this.#bins.filter((bin) => bin.number > newest - BINS).sort((a, b) => a.number - b.number);
    const ago = (number) => (number - newest) * BIN_S;
    const curves = this.#shown.map((shown, channel) => this.#curve(bins, channel, shown, ago));
    return [curves, this.#layout(bins, ago), { staticPlot: true, displayModeBar: false }];
  }

  #curve(bins, channel, shown, ago) {
    const [x, y] = [[], []];
    let before = null;
    const point = (number, value) => {
      x.push(ago(number));
      y.push(value);
    };
    for (const bin of bins) {
      if (bin.busy) before = null;
      if (bin.last[channel] === undefined) continue;
      if (before === null || (bin.number - before) * BIN_S > this.#gapS) point(bin.number, null);
      if (bin.high[channel] > bin.low[channel]) {
        point(bin.number, bin.low[channel]);
        point(bin.number, bin.high[channel]);
      }
      point(bin.number, bin.last[channel]);
      before = bin.number;
    }
    const line = { color: curveColour(channel), width: 1.5 };
    return { type: 'scatter', mode: 'lines', x, y, visible: shown, connectgaps: false, line };
  }

  /** @returns {[number, number]} */
  #range(bins) {
    let [low, high] = [Infinity, -Infinity];
    for (const bin of bins) {
      this.#shown.forEach((shown, channel) => {
        if (!shown || bin.last[channel] === undefined) return;
        if (isDark(bin.high[channel], this.#unit)) return;
        low = Math.min(low, Math.max(bin.low[channel], FLOOR[this.#unit] ?? -Infinity));
        high = Math.max(high, bin.high[channel]);
      });
    }
    if (low > high) return this.#unit === 'mW' ? [0, 10 * FLOOR.mW] : [FLOOR.dBm, FLOOR.dBm + 30];
    // A steady power in mW has any size. A tenth of it keeps the numbers of its axis short.
    const least = this.#unit === 'mW' ? Math.max(LEAST_SPAN.mW, high * 0.1) : (LEAST_SPAN[this.#unit] ?? 0.5);
    const half = Math.max(high - low, least) * 0.58;
    return [(low + high) / 2 - half, (low + high) / 2 + half];
  }

  #layout(bins, ago) {
    const narrow = this.#place.clientWidth < 600;
    const range = this.#range(bins);
    const axis = (rest) => axisOfChart({ fixedrange: true, ...rest });
    const every = narrow ? 20 : 10;
    const ticks = Array.from({ length: WINDOW_S / every + 1 }, (_, step) => -step * every);
    const labels = ticks.map((tick) => (tick === 0 ? 'now' : `\u2212${-tick} s`));
    return {
      width: this.#place.clientWidth,
      height: this.#place.clientHeight,
      margin: MARGIN,
      paper_bgcolor: 'rgba(0,0,0,0)',
      plot_bgcolor: 'rgba(0,0,0,0)',
      font: { family: 'system-ui, sans-serif', size: 11, color: colour('dim') },
      showlegend: false,
      xaxis: axis({ range: [-WINDOW_S, 0], tickvals: ticks, ticktext: labels }),
      yaxis: axis({ range, ticksuffix: ` ${this.#unit}`, nticks: 5 }),
      shapes: busySpans(bins).map(([from, to]) => ({
        type: 'rect',
        layer: 'below',
        yref: 'paper',
        x0: ago(from),
        x1: ago(to + 1),
        y0: 0,
        y1: 1,
        line: { width: 0 },
        fillcolor: colour('busy'),
      })),
      annotations: this.#ends(bins, ago, range),
    };
  }

  /** The names beside the ends of their curves: colour is not the only mark. */
  #ends(bins, ago, [low, high]) {
    const ends = this.#shown.flatMap((shown, channel) => {
      const last = bins.findLast((bin) => bin.last[channel] !== undefined);
      if (!shown || !last || isDark(last.last[channel], this.#unit)) return [];
      return [{ channel, x: ago(last.number), y: last.last[channel] }];
    });
    const height = this.#place.clientHeight - MARGIN.t - MARGIN.b;
    const places = ends.map(({ y }) => ((y - low) / (high - low)) * height);
    const free = apart(places, NAME_PX, 0, height);
    return ends.map(({ channel, x, y }, end) => {
      const font = { color: curveColour(channel), size: 11, weight: 700 };
      const text = escaped(this.#names[channel] ?? String(channel + 1));
      return { x, y, text, showarrow: false, xanchor: 'left', xshift: 6, yanchor: 'middle', yshift: free[end] - places[end], font };
    });
  }
}

/** Plotly reads some tags in texts. */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function now() {
  return Math.floor(performance.now() / 1000 / BIN_S);
}

/** Neighbouring busy bins as one. */
function busySpans(bins) {
  const spans = [];
  for (const { number, busy } of bins) {
    if (!busy) continue;
    const last = spans.at(-1);
    if (last && number - last[1] <= 2) last[1] = number;
    else spans.push([number, number]);
  }
  return spans;
}
