// @ts-check
// The fitted lines over a curve. The program states centre, width and window of each line; base and depth are read off
// the trace, at the ends of the window and at the centres.

import { levelOf, xOf } from './scales.js';
import { pieceAt } from './views.js';

const POINTS = 121;
const MOST_LINES = 100;

/** The fitted lines among the figures of a trace, as marks. A doublet is one mark with two centres. */
export function linesOf(figures) {
  const fitted = figures.filter(({ figure, value, nm, window }) => figure === 'q_loaded' && value > 0 && nm > 0 && window);
  const splittingOf = (line) => figures.find(({ figure, of }) => figure === 'doublet_splitting_nm' && of === line.of)?.value ?? 0;
  return fitted.slice(0, MOST_LINES).map((line) => {
    const half = splittingOf(line) / 2;
    const centers = half > 0 ? [line.nm - half, line.nm + half] : [line.nm];
    return { kind: 'fit', nm: line.nm, centers, fwhm_nm: line.nm / line.value, ...line.window };
  });
}

const powerOf = (level) => 10 ** (level / 10);
const lorentzian = (nm, center, fwhm) => 1 / (1 + ((2 * (nm - center)) / fwhm) ** 2);

/** The shares of both ends of the base and of each line in the power at a place. */
function sharesAt(nm, { centers, fwhm_nm: fwhm, from_nm: from, to_nm: to }) {
  const along = (nm - from) / (to - from);
  return [1 - along, along, ...centers.map((center) => lorentzian(nm, center, fwhm))];
}

/**
 * The ends of the base and the strength of each line in linear power, so that the sum passes through the trace at the ends of
 * the window and at the centres; null where the view does not reach that far.
 */
function shapeOf(line, view) {
  const places = [line.from_nm, line.to_nm, ...line.centers];
  const pieces = places.map((nm) => pieceAt(view, nm));
  if (pieces.some((piece) => piece === null || piece.min === null)) return null;
  const middle = pieces.map(({ min, max }) => (powerOf(min) + powerOf(max)) / 2);
  const isDip = middle[2] < (middle[0] + middle[1]) / 2;
  const levels = pieces.map(({ min, max }, at) => (at < 2 ? middle[at] : powerOf(isDip ? min : max)));
  return solved(places.map((nm, at) => [...sharesAt(nm, line), levels[at]]));
}

/** The solution of linear equations, each given as its factors and its right side; null if there is none. */
function solved(rows) {
  for (let column = 0; column < rows.length; column += 1) {
    const best = rows.slice(column).reduce((found, row) => (Math.abs(row[column]) > Math.abs(found[column]) ? row : found));
    if (Math.abs(best[column]) < 1e-12) return null;
    rows.splice(rows.indexOf(best), 1);
    rows.splice(column, 0, best);
    for (const row of rows) {
      if (row === best) continue;
      const factor = row[column] / best[column];
      best.forEach((value, at) => (row[at] -= factor * value));
    }
  }
  return rows.map((row, at) => row[rows.length] / row[at]);
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
    const { from_nm: from, to_nm: to } = line;
    const x = Array.from({ length: POINTS }, (_, step) => from + ((to - from) * step) / (POINTS - 1));
    const y = x.map((nm) => {
      const power = sharesAt(nm, line).reduce((sum, share, at) => sum + share * shape[at], 0);
      return 10 * Math.log10(Math.max(1e-12, power));
    });
    return { x, y };
  }
}
