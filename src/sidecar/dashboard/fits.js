// @ts-check
// The fitted lines over a curve. The program states centre, width and window of each line; base and depth are read off
// the trace, at the ends of the window and at the centre.

import { levelOf, xOf } from './scales.js';
import { pieceAt } from './views.js';

const POINTS = 121;
const MOST_LINES = 100;

/** The fitted lines among the figures of a trace, as marks. */
export function linesOf(figures) {
  const fitted = figures.filter(({ figure, value, nm, window }) => figure === 'q_loaded' && value > 0 && nm > 0 && window);
  return fitted.slice(0, MOST_LINES).map(({ value, nm, window }) => ({ kind: 'fit', nm, fwhm_nm: nm / value, ...window }));
}

const powerOf = (level) => 10 ** (level / 10);
const lorentzian = (nm, center, fwhm) => 1 / (1 + ((2 * (nm - center)) / fwhm) ** 2);

/** Base and depth of a line in linear power; null where the view does not reach to the ends of its window. */
function shapeOf({ nm: center, fwhm_nm: fwhm, from_nm: from, to_nm: to }, view) {
  const [first, middle, last] = [from, center, to].map((nm) => pieceAt(view, nm));
  if ([first, middle, last].some((piece) => piece === null || piece.min === null)) return null;
  const [left, right] = [first, last].map(({ min, max }) => (powerOf(min) + powerOf(max)) / 2);
  const isDip = powerOf(middle.min) < (left + right) / 2;
  const deepest = powerOf(isDip ? middle.min : middle.max);
  // The ends lie on the foot of the line.
  const foot = lorentzian(from, center, fwhm);
  const amplitude = (deepest - (left + right) / 2) / (1 - foot);
  return { left: left - amplitude * foot, right: right - amplitude * foot, amplitude };
}

/** The shapes of the lines. They are known from the whole trace, also when only a part of a line is looked at. */
export class Fits {
  #known = new Map();

  /** The curves of the fitted lines over a curve, as Plotly draws them. */
  curvesOf(marks, { run, trace, view }, colour, scale) {
    const lines = marks.filter(({ kind }) => kind === 'fit');
    const curves = lines.map((line) => this.#curveOf(`${run} ${trace.trace_index}`, line, view));
    return curves.filter((curve) => curve !== null).map(({ x, y }) => ({
      type: 'scatter',
      mode: 'lines',
      name: 'fit',
      x: x.map((nm) => xOf(nm, scale)),
      y: y.map((level) => levelOf(level, scale)),
      hoverinfo: 'skip',
      line: { color: colour, width: 1.6, dash: 'dot' },
    }));
  }

  #curveOf(trace, line, view) {
    const key = `${trace} ${line.nm}`;
    const shape = this.#known.get(key) ?? shapeOf(line, view);
    if (shape === null) return null;
    this.#known.set(key, shape);
    const { nm: center, fwhm_nm: fwhm, from_nm: from, to_nm: to } = line;
    const x = Array.from({ length: POINTS }, (_, step) => from + ((to - from) * step) / (POINTS - 1));
    const y = x.map((nm, step) => {
      const base = shape.left + ((shape.right - shape.left) * step) / (POINTS - 1);
      return 10 * Math.log10(Math.max(1e-12, base + shape.amplitude * lorentzian(nm, center, fwhm)));
    });
    return { x, y };
  }
}
