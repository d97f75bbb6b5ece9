// @ts-check
// The overlaid traces as a spectrum: every window is fetched anew at the resolution of the screen.

import { Views, pieceAt } from './views.js';
import { pointsOf, shapesOf } from './marks.js';
import { CONFIG, curveOf, layoutOf, loadPlotly, marginsOf } from './plot.js';
import { byId, el, setText, showProblem } from './dom.js';
import { colour, curveColour, onThemeChange } from './theme.js';
import * as format from './format.js';

const SETTLE_MS = 150;
// A little more than what is seen, so that the curve reaches the edges.
const MARGIN = 0.05;
const LEAST_SPAN_NM = 1e-5;
const NARROW_PX = 520;

/** Rounded to a femtometre, so that an end of 1580 nm is one. */
const stopOf = ({ start_nm: start, step_pm: step, points }) => Math.round((start + ((points - 1) * step) / 1000) * 1e6) / 1e6;

/** The part of a window that a trace has; null when it has none. */
function within(trace, { from, to }) {
  const cut = { from: Math.max(from, trace.start_nm), to: Math.min(to, stopOf(trace)) };
  return cut.from < cut.to ? cut : null;
}

const decimalsFor = (span) => Math.max(3, Math.min(6, Math.ceil(-Math.log10(span)) + 3));

/** The plot of the traces that are overlaid. */
export function createSpectrum() {
  const views = new Views();
  let run = null;
  let curves = [];
  /** What is looked at; null for all there is. Level ranges are null while they follow the curves. */
  let chosen = null;
  let ranges = { y: null, y2: null };
  let cursor = null;
  let fetching = null;
  let settling = 0;
  let drawing = false;
  /** Plotly has drawn the curves at least once. */
  let drawn = false;
  /** The marks of the traces by their numbers. */
  let marks = new Map();

  const plot = byId('plot');
  const frame = byId('plot-frame');

  /** What is to be drawn: `[{ trace, slot }]` of a run. Another run is looked at as a whole. */
  function overlay(ofRun, wanted) {
    if (ofRun !== run) {
      chosen = null;
      cursor = null;
      ranges = { y: null, y2: null };
    }
    const known = ofRun === run ? new Map(curves.map((curve) => [curve.trace.trace_index, curve])) : new Map();
    run = ofRun;
    curves = wanted.map(({ trace, slot }) => ({ trace, slot, view: known.get(trace.trace_index)?.view ?? null }));
    byId('spectrum-box').hidden = curves.length === 0;
    byId('spectrum-empty').hidden = curves.length > 0;
    // What is drawn stays until what takes its place has arrived.
    if (curves.every(({ view }) => view !== null)) draw();
    refetch();
  }

  /** What is to be drawn over the traces: the marks of each by its number. */
  function overlayMarks(ofRun, next) {
    if (ofRun !== run) return;
    marks = next;
    draw();
  }

  /** The shapes and points over a curve. Levels in dB are marked, powers are not. */
  function markingsOf({ trace, slot, view }) {
    const ofTrace = trace.unit === 'dB' ? (marks.get(trace.trace_index) ?? []) : [];
    const colours = { band: colour('grid'), width: curveColour(slot), limit: colour('bad'), point: curveColour(slot) };
    const whole = { from: trace.start_nm, to: stopOf(trace) };
    return { shapes: shapesOf(ofTrace, whole, colours), points: pointsOf(ofTrace, view, colours) };
  }

  function extent() {
    const starts = curves.map(({ trace }) => trace.start_nm);
    return { from: Math.min(...starts), to: Math.max(...curves.map(({ trace }) => stopOf(trace))) };
  }

  const lookedAt = () => chosen ?? extent();

  /** Looks at a window; whatever is still on its way for another one is not wanted any more. */
  function look(from, to) {
    if (!(to - from >= LEAST_SPAN_NM) || !Number.isFinite(from)) {
      showProblem(byId('spectrum-problem'), 'The start of the window must be below its end.');
      return;
    }
    chosen = { from, to };
    draw();
    settle();
  }

  function reset() {
    chosen = null;
    ranges = { y: null, y2: null };
    draw();
    settle();
  }

  function zoom(factor) {
    const { from, to } = lookedAt();
    const middle = cursor !== null && cursor > from && cursor < to ? cursor : (from + to) / 2;
    const whole = extent();
    if ((to - from) * factor >= whole.to - whole.from) return reset();
    return look(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }

  function shift(share) {
    const { from, to } = lookedAt();
    const whole = extent();
    const by = Math.max(whole.from - from, Math.min(whole.to - to, share * (to - from)));
    look(from + by, to + by);
  }

  function settle() {
    clearTimeout(settling);
    settling = setTimeout(refetch, SETTLE_MS);
  }

  async function refetch() {
    fetching?.abort();
    if (curves.length === 0) return;
    fetching = new AbortController();
    const { signal } = fetching;
    const { from, to } = lookedAt();
    const margin = chosen ? (to - from) * MARGIN : 0;
    const points = Math.max(200, Math.min(2000, Math.round(frame.clientWidth * (1 + 2 * MARGIN))));
    showProblem(byId('spectrum-problem'), null);
    frame.setAttribute('aria-busy', 'true');
    const asked = curves;
    await Promise.all(
      asked.map(async (curve) => {
        const window = within(curve.trace, { from: from - margin, to: to + margin });
        try {
          curve.view = window ? await views.fetch(run, curve.trace, window, points, signal) : null;
        } catch (error) {
          if (!signal.aborted) showProblem(byId('spectrum-problem'), `Trace ${curve.trace.trace_index}: ${error.message}`);
        }
      }),
    );
    if (signal.aborted || asked !== curves) return;
    frame.removeAttribute('aria-busy');
    draw();
  }

  /** Draws once for however many changes there are within a frame. */
  function draw() {
    if (drawing || curves.length === 0) return;
    drawing = true;
    requestAnimationFrame(async () => {
      try {
        const Plotly = await loadPlotly();
        drawing = false;
        if (curves.length > 0) await render(Plotly);
      } catch (error) {
        drawing = false;
        showProblem(byId('spectrum-problem'), error.message);
      }
    });
  }

  async function render(Plotly) {
    const window = lookedAt();
    const seen = curves.filter(({ view }) => view !== null);
    const shape = shapeOfPlot();
    const layout = layoutOf({ window, ranges, ...shape });
    const markings = seen.map(markingsOf);
    const drawnCurves = seen.map((curve) => curveOf(curve, shape.units));
    const points = markings.map((marking) => marking.points).filter((of) => of !== null);
    await Plotly.react(plot, [...drawnCurves, ...points], { ...layout, shapes: markings.flatMap(({ shapes }) => shapes) }, CONFIG);
    if (!drawn) {
      drawn = true;
      plot.on('plotly_relayout', takeZoom);
      plot.on('plotly_doubleclick', reset);
    }
    const step = Math.min(...seen.map(({ view }) => view.step_nm).filter((step_nm) => step_nm > 0));
    const span = window.to - window.from;
    byId('window-from').value = window.from.toFixed(decimalsFor(span));
    byId('window-to').value = window.to.toFixed(decimalsFor(span));
    drawInfo(seen, step);
    drawCursor();
  }

  /** The units of the curves, which decide about the axes, and whether there is little space for them. */
  function shapeOfPlot() {
    const units = new Set(curves.map(({ trace }) => (trace.unit === 'dB' ? 'dB' : 'dBm')));
    return { units, narrow: frame.clientWidth < NARROW_PX };
  }

  /** Where the drawing area lies in the frame, px; null while nothing is drawn. */
  function areaOfPlot() {
    if (!drawn) return null;
    const { l: left, r: right } = marginsOf(shapeOfPlot());
    return { left, width: frame.clientWidth - left - right };
  }

  /** What somebody did with the mouse in the plot. */
  function takeZoom(change) {
    for (const axis of ['y', 'y2']) {
      const name = axis === 'y' ? 'yaxis' : 'yaxis2';
      if (`${name}.range[0]` in change) ranges[axis] = [change[`${name}.range[0]`], change[`${name}.range[1]`]];
      if (change[`${name}.autorange`]) ranges[axis] = null;
    }
    if (change['xaxis.autorange']) reset();
    else if ('xaxis.range[0]' in change) look(change['xaxis.range[0]'], change['xaxis.range[1]']);
  }

  function drawInfo(seen, step) {
    const finest = seen.every(({ view }) => view.points <= view.wavelength_nm.length);
    const pm = Number((step * 1000).toPrecision(3));
    const shown = finest ? 'Every sample is shown' : 'Each step shows its lowest and highest sample';
    setText(byId('spectrum-info'), seen.length > 0 && Number.isFinite(pm) ? `${shown} (${pm} pm).` : '');
  }

  function steer(event) {
    if (event.target !== frame || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      ArrowLeft: () => moveCursor(event.shiftKey ? -10 : -1),
      ArrowRight: () => moveCursor(event.shiftKey ? 10 : 1),
      '+': () => zoom(0.5),
      '-': () => zoom(2),
      0: reset,
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  function moveCursor(pieces) {
    const { from, to } = lookedAt();
    const step = Math.max(...curves.map(({ view }) => view?.step_nm ?? 0)) || (to - from) / 500;
    cursor = Math.min(to, Math.max(from, (cursor ?? (from + to) / 2) + pieces * step));
    drawCursor();
  }

  function pointAt(clientX) {
    const area = areaOfPlot();
    if (area === null) return;
    const share = (clientX - frame.getBoundingClientRect().left - area.left) / area.width;
    if (share < 0 || share > 1) return;
    const { from, to } = lookedAt();
    cursor = from + share * (to - from);
    drawCursor();
  }

  /** The line under the pointer, and what every curve has there. */
  function drawCursor() {
    const area = areaOfPlot();
    const { from, to } = lookedAt();
    const line = byId('plot-cursor');
    const inside = area !== null && cursor !== null && cursor >= from && cursor <= to;
    line.hidden = !inside;
    if (inside) line.style.transform = `translateX(${area.left + ((cursor - from) / (to - from)) * area.width}px)`;
    const parts = curves.map(({ trace, slot, view }) => {
      const name = `#${trace.trace_index} ${trace.detector} ${trace.trace}`;
      const level = inside && view ? levelAt(view, trace.unit) : trace.unit;
      return el('span', { class: 'level' }, el('i', { class: `swatch curve-${slot + 1}` }), el('span', { class: 'level-name', text: name }), el('b', { text: level }));
    });
    const at = inside ? `${format.wavelength(cursor, (to - from) / 1000)} nm` : 'Point at the plot to read levels';
    byId('readout').replaceChildren(el('b', { class: inside ? 'at' : 'at dim', text: at }), ...parts);
  }

  function levelAt(view, unit) {
    const piece = pieceAt(view, cursor);
    if (piece === null || piece.min === null) return format.NONE;
    const low = format.fixed(piece.min, 3);
    const high = format.fixed(piece.max, 3);
    return low === high ? `${low} ${unit}` : `${low} \u2026 ${high} ${unit}`;
  }

  byId('spectrum-window').addEventListener('submit', (event) => {
    event.preventDefault();
    look(Number(byId('window-from').value), Number(byId('window-to').value));
  });
  byId('zoom-in').addEventListener('click', () => zoom(0.5));
  byId('zoom-out').addEventListener('click', () => zoom(2));
  byId('zoom-left').addEventListener('click', () => shift(-0.5));
  byId('zoom-right').addEventListener('click', () => shift(0.5));
  byId('zoom-reset').addEventListener('click', reset);
  frame.addEventListener('keydown', steer);
  frame.addEventListener('pointermove', (event) => pointAt(event.clientX));
  frame.addEventListener('pointerdown', (event) => pointAt(event.clientX));
  onThemeChange(draw);
  let width = 0;
  new ResizeObserver(() => {
    if (frame.clientWidth !== width) settle();
    width = frame.clientWidth;
  }).observe(frame);
  return { overlay, overlayMarks };
}
