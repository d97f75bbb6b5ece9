// @ts-check
// The marks of a trace, as the program states them, in the form in which Plotly draws them.

import { pieceAt } from './views.js';

const MOST_BANDS = 8;
// A mark that is wider than this share of the trace marks nothing.
const WHOLE = 0.995;

/** The level of a point: the one that it states, else that of the curve. */
function levelOf({ nm, level_db: level }, view) {
  if (typeof level === 'number') return level;
  const piece = view && pieceAt(view, nm);
  return piece ? piece.min : null;
}

/** The shapes of the marks: bands, widths and limits. `colours` has `band`, `width` and `limit`. */
export function shapesOf(marks, { from, to }, colours) {
  const bands = marks.filter(({ kind, from_nm: low, to_nm: high }) => kind === 'band' && high - low < WHOLE * (to - from));
  const whole = { yref: 'paper', y0: 0, y1: 1, layer: 'below' };
  return [
    ...bands.slice(0, MOST_BANDS).map(({ from_nm: x0, to_nm: x1 }) => ({
      type: 'rect', x0, x1, ...whole, fillcolor: colours.band, opacity: 0.5, line: { width: 0 },
    })),
    ...marks.filter(({ kind }) => kind === 'width').map(({ from_nm: x0, to_nm: x1 }) => ({
      type: 'rect', x0, x1, ...whole, fillcolor: colours.width, opacity: 0.16, line: { width: 0 },
    })),
    ...marks.filter(({ kind }) => kind === 'limit').map(({ from_nm: x0, to_nm: x1, level_db: y }) => ({
      type: 'line', x0, x1, y0: y, y1: y, line: { color: colours.limit, width: 1.4, dash: 'dash' },
    })),
  ];
}

/** The points of the marks as a curve of symbols; null where there are none. */
export function pointsOf(marks, view, colours) {
  const points = marks.filter(({ kind }) => kind === 'point').map((mark) => ({ ...mark, y: levelOf(mark, view) })).filter(({ y }) => y !== null);
  if (points.length === 0) return null;
  const good = (verdict) => verdict === null || verdict === undefined || verdict === 'pass';
  return {
    type: 'scatter',
    mode: 'markers',
    x: points.map(({ nm }) => nm),
    y: points.map(({ y }) => y),
    text: points.map(({ text, verdict }) => (verdict ? `${text}: ${verdict}` : text)),
    hovertemplate: '%{text}<br>%{x:.4f} nm, %{y:.2f} dB<extra></extra>',
    marker: {
      symbol: points.map(({ verdict }) => (good(verdict) ? 'circle-open' : 'x-thin-open')),
      size: 9,
      color: points.map(({ verdict }) => (good(verdict) ? colours.point : colours.limit)),
      line: { width: 2 },
    },
  };
}
