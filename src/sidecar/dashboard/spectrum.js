// @ts-check
// The overlaid traces as a spectrum: every window is fetched anew at the resolution of the screen.

import { Fits } from './fits.js';
import { Pins } from './pins.js';
import { createReadout } from './readout.js';
import { createZoom } from './zoom.js';
import { Views } from './views.js';
import { pointsOf, shapesOf } from './marks.js';
import { CONFIG, curveOf, layoutOf, loadPlotly, marginsOf } from './plot.js';
import { byId, setAttribute, setText, showProblem } from './dom.js';
import { nameOf } from './names.js';
import { endsOf, recallScale, rememberScale, windowOf, xOf } from './scales.js';
import { colour, curveColour, onThemeChange } from './theme.js';

const SETTLE_MS = 150;
// A little more than what is seen, so that the curve reaches the edges.
const MARGIN = 0.05;
const NARROW_PX = 520;

/** Rounded to a femtometre, so that an end of 1580 nm is one. */
const stopOf = ({ start_nm: start, step_pm: step, points }) => Math.round((start + ((points - 1) * step) / 1000) * 1e6) / 1e6;

/** The part of a window that a trace has; null when it has none. */
function within(trace, { from, to }) {
  const cut = { from: Math.max(from, trace.start_nm), to: Math.min(to, stopOf(trace)) };
  return cut.from < cut.to ? cut : null;
}

/** The plot of the traces that are overlaid. */
export function createSpectrum() {
  const views = new Views();
  const fits = new Fits();
  const scale = recallScale();
  let run = null;
  let runName = '';
  /** The curves of the run: `{ run, trace, slot, view, pinned }`; and those of other runs that were pinned. */
  let curves = [];
  const pins = new Pins();
  /** The curves that take the place of those, once they have arrived. */
  let pending = null;
  /** The curves are those of a run before: shown in grey until the next ones arrive. */
  let stale = false;
  let fetching = null;
  let settling = 0;
  let drawing = false;
  /** Plotly has drawn the curves at least once. */
  let drawn = false;
  /** The marks of the traces by their numbers. */
  let marks = new Map();

  const plot = byId('plot');
  const frame = byId('plot-frame');

  /** What is to be drawn: `[{ trace, slot }]` of a run. Until it has arrived, what was drawn before stays. */
  function overlay(ofRun, wanted) {
    const another = ofRun !== run;
    if (another) {
      run = ofRun;
      marks = new Map();
    }
    if (wanted.length === 0) {
      // A run without a trace so far, or no run: the last spectrum stays, in grey.
      pending = null;
      if (another) setStale(curves.length > 0);
      else if (!stale) curves = [];
      showBox();
      draw();
      return;
    }
    const known = new Map(curves.filter((curve) => curve.run === ofRun).map((curve) => [curve.trace.trace_index, curve]));
    const next = wanted.map(({ trace, slot }) => ({ run: ofRun, trace, slot, view: known.get(trace.trace_index)?.view ?? null, pinned: false }));
    if (known.size === 0 && pins.all().length === 0) zoom.clear();
    readyOf(next);
  }

  /** Takes the curves when their views are there; those that are drawn stay until then. */
  function readyOf(next) {
    pending = next;
    if (next.every(({ view }) => view !== null)) return take();
    if (curves.length === 0) take();
    else if (curves[0].run !== next[0].run) setStale(true);
    return refetch();
  }

  /** What was pending is drawn from now on. */
  function take() {
    curves = pending ?? curves;
    pending = null;
    if (curves.some(({ run: of }) => of === run)) setStale(false);
    showBox();
    draw();
  }

  function setStale(next) {
    stale = next;
    setAttribute(frame, 'data-stale', stale && 'true');
    const note = byId('plot-stale');
    note.hidden = !stale;
    if (stale) setText(note, `last spectrum, run ${curves[0]?.run ?? ''}`);
  }

  function showBox() {
    const empty = curves.length + pins.all().length === 0;
    byId('spectrum-box').hidden = empty;
    byId('spectrum-empty').hidden = !empty;
    byId('unpin').hidden = pins.all().length === 0;
    setAttribute(byId('pin'), 'disabled', curves.length === 0 && '');
  }

  /** The name of the run that is looked at, for its pinned curves. */
  function nameRun(name) {
    runName = name;
  }

  function pin() {
    pins.add(curves, runName);
    showBox();
    draw();
  }

  function unpin(chosen = null) {
    pins.remove(chosen);
    showBox();
    draw();
  }

  /** What is drawn: a pinned curve that is also one of the run is drawn once. */
  function shown() {
    const own = new Set(curves.map(({ run: of, trace }) => `${of} ${trace.trace_index}`));
    return [...curves, ...pins.all().filter(({ run: of, trace }) => !own.has(`${of} ${trace.trace_index}`))];
  }

  /** What is to be drawn over the traces: the marks of each by its number. */
  function overlayMarks(ofRun, next) {
    if (ofRun !== run) return;
    marks = next;
    if (!stale) draw();
  }

  /** The shapes and points over a curve. Levels in dB are marked, powers are not. */
  function markingsOf(curve) {
    const { trace, slot, view, pinned } = curve;
    const isMarked = trace.unit === 'dB' && !pinned && !stale;
    const ofTrace = isMarked ? (marks.get(trace.trace_index) ?? []) : [];
    const colours = { band: colour('grid'), width: curveColour(slot), limit: colour('bad'), point: curveColour(slot) };
    const whole = { from: trace.start_nm, to: stopOf(trace) };
    return { shapes: shapesOf(ofTrace, whole, colours, scale), points: pointsOf(ofTrace, view, colours, scale), lines: fits.curvesOf(ofTrace, curve, colour('ink'), scale) };
  }

  function extent() {
    const all = shown();
    return { from: Math.min(...all.map(({ trace }) => trace.start_nm)), to: Math.max(...all.map(({ trace }) => stopOf(trace))) };
  }

  function settle() {
    clearTimeout(settling);
    settling = setTimeout(refetch, SETTLE_MS);
  }

  /** Fetches what is looked at; whatever is on its way for another window is not wanted any more. */
  async function refetch() {
    fetching?.abort();
    const next = pending ?? curves;
    if (next.length + pins.all().length === 0) return;
    fetching = new AbortController();
    const { signal } = fetching;
    const chosen = zoom.chosen();
    const window = chosen ?? { from: -Infinity, to: Infinity };
    const margin = chosen ? (chosen.to - chosen.from) * MARGIN : 0;
    const points = Math.max(200, Math.min(2000, Math.round(frame.clientWidth * (1 + 2 * MARGIN))));
    showProblem(byId('spectrum-problem'), null);
    frame.setAttribute('aria-busy', 'true');
    await Promise.all(
      [...next, ...pins.all()].map(async (curve) => {
        const cut = within(curve.trace, { from: window.from - margin, to: window.to + margin });
        try {
          curve.view = cut ? await views.fetch(curve.run, curve.trace, cut, points, signal) : null;
        } catch (error) {
          if (signal.aborted) return;
          // The run of a pinned curve may have been deleted.
          if (curve.pinned && error.status === 404) pins.remove(curve);
          showProblem(byId('spectrum-problem'), `${curve.label ?? nameOf(curve.trace)}: ${error.message}`);
        }
      }),
    );
    if (signal.aborted) return;
    frame.removeAttribute('aria-busy');
    take();
  }

  function draw() {
    if (drawing || byId('spectrum-box').hidden) return;
    drawing = true;
    requestAnimationFrame(async () => {
      try {
        const Plotly = await loadPlotly();
        drawing = false;
        if (shown().length > 0) await render(Plotly);
      } catch (error) {
        drawing = false;
        showProblem(byId('spectrum-problem'), error.message);
      }
    });
  }

  async function render(Plotly) {
    const window = zoom.window();
    const seen = shown().filter(({ view }) => view !== null);
    const shape = shapeOfPlot();
    const markings = seen.map(markingsOf);
    const points = markings.map((marking) => marking.points).filter((of) => of !== null);
    const layout = { ...layoutOf({ window, scale, ...shape }), shapes: markings.flatMap(({ shapes }) => shapes) };
    const drawnCurves = seen.map((curve) => curveOf(curve, shape.units, scale));
    await Plotly.react(plot, [...drawnCurves, ...markings.flatMap(({ lines }) => lines), ...points], layout, CONFIG);
    if (!drawn) {
      drawn = true;
      plot.on('plotly_relayout', takeZoom);
      plot.on('plotly_doubleclick', zoom.reset);
    }
    zoom.draw();
    drawInfo(seen);
    readout.draw();
  }

  /** The units of the curves, which decide about the axes, and whether there is little space for them. */
  function shapeOfPlot() {
    const units = new Set(shown().map(({ trace }) => (trace.unit === 'dB' ? 'dB' : 'dBm')));
    const { clientWidth: width, clientHeight: height } = frame;
    return { units, narrow: width < NARROW_PX, width, height };
  }

  /** Where the drawing area lies in the frame, px; null while nothing is drawn. */
  function area() {
    if (!drawn) return null;
    const { l: left, r: right } = marginsOf(shapeOfPlot());
    return { left, width: frame.clientWidth - left - right };
  }

  /** The window that somebody has drawn with the mouse. */
  function takeZoom(change) {
    if (change['xaxis.autorange']) return zoom.reset();
    if (!('xaxis.range[0]' in change)) return undefined;
    const { from, to } = windowOf(change['xaxis.range[0]'], change['xaxis.range[1]'], scale);
    return zoom.look(from, to);
  }

  function drawInfo(seen) {
    const step = Math.min(...seen.map(({ view }) => view.step_nm).filter((step_nm) => step_nm > 0));
    const finest = seen.every(({ view }) => view.points <= view.wavelength_nm.length);
    const pm = Number((step * 1000).toPrecision(3));
    const words = finest ? 'Every sample is shown' : 'Each step shows its lowest and highest sample';
    setText(byId('spectrum-info'), seen.length > 0 && Number.isFinite(pm) ? `${words} (${pm} pm).` : '');
  }

  function takeScale(button, name) {
    scale[name] = !scale[name];
    setAttribute(button, 'aria-pressed', scale[name] ? 'true' : 'false');
    rememberScale(scale);
    draw();
  }

  const zoom = createZoom({ scale, extent, cursor: () => readout.at(), changed: () => (draw(), settle()) });
  const readout = createReadout({
    frame,
    scale,
    area,
    shown,
    unpin,
    ends: () => endsOf(zoom.window(), scale),
    window: zoom.window,
    place: (nm) => xOf(nm, scale),
  });
  for (const [id, name] of [['level-scale', 'linear'], ['axis-scale', 'frequency']]) {
    setAttribute(byId(id), 'aria-pressed', scale[name] ? 'true' : 'false');
    byId(id).addEventListener('click', () => takeScale(byId(id), name));
  }
  byId('pin').addEventListener('click', pin);
  byId('unpin').addEventListener('click', () => unpin());
  onThemeChange(draw);
  showBox();
  let width = 0;
  new ResizeObserver(() => {
    if (frame.clientWidth === width || frame.clientWidth === 0) return;
    width = frame.clientWidth;
    draw();
    settle();
  }).observe(frame);
  return { nameRun, overlay, overlayMarks };
}
