// @ts-check
// Which window of wavelengths is looked at: by its ends, by buttons and by keys.

import { byId, setText, showProblem } from './dom.js';
import { axisUnit, endsOf, windowOf } from './scales.js';

const LEAST_SPAN_NM = 1e-5;

const decimalsFor = (span) => Math.max(3, Math.min(6, Math.ceil(-Math.log10(span)) + 3));

/**
 * @param {{ scale: import('./scales.js').Scale, extent: () => { from: number, to: number }, cursor: () => number | null, changed: () => void }} plot
 */
export function createZoom({ scale, extent, cursor, changed }) {
  /** What is looked at; null for all there is. */
  let chosen = null;

  const window = () => chosen ?? extent();

  function look(from, to) {
    if (!(to - from >= LEAST_SPAN_NM) || !Number.isFinite(from) || !Number.isFinite(to)) return refuse();
    chosen = { from, to };
    return changed();
  }

  function refuse() {
    showProblem(byId('spectrum-problem'), 'The start of the window must be below its end.');
  }

  function reset() {
    chosen = null;
    changed();
  }

  function zoom(factor) {
    const { from, to } = window();
    const at = cursor();
    const middle = at !== null && at > from && at < to ? at : (from + to) / 2;
    const whole = extent();
    if ((to - from) * factor >= whole.to - whole.from) return reset();
    return look(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }

  /** Shifts the window by a share of it; to the right on the screen if the share is positive. */
  function shift(share) {
    const { from, to } = window();
    const whole = extent();
    const wanted = share * (to - from) * (scale.frequency ? -1 : 1);
    const by = Math.max(whole.from - from, Math.min(whole.to - to, wanted));
    look(from + by, to + by);
  }

  /** Writes the ends of the window into their fields. */
  function draw() {
    const [low, high] = endsOf(window(), scale);
    const decimals = decimalsFor(high - low);
    byId('window-from').value = low.toFixed(decimals);
    byId('window-to').value = high.toFixed(decimals);
    setText(byId('window-unit'), axisUnit(scale));
  }

  byId('spectrum-window').addEventListener('submit', (event) => {
    event.preventDefault();
    const [low, high] = [Number(byId('window-from').value), Number(byId('window-to').value)];
    if (!(low < high)) return refuse();
    const { from, to } = windowOf(low, high, scale);
    return look(from, to);
  });
  byId('zoom-in').addEventListener('click', () => zoom(0.5));
  byId('zoom-out').addEventListener('click', () => zoom(2));
  byId('zoom-left').addEventListener('click', () => shift(-0.5));
  byId('zoom-right').addEventListener('click', () => shift(0.5));
  byId('zoom-reset').addEventListener('click', reset);
  byId('plot-frame').addEventListener('keydown', (event) => {
    if (event.target !== byId('plot-frame') || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { '+': () => zoom(0.5), '-': () => zoom(2), 0: reset }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  return { chosen: () => chosen, clear: () => (chosen = null), draw, look, reset, window };
}
