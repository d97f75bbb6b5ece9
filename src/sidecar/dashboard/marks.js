// @ts-check
// The marks of a trace, as the program states them, in the form in which Plotly draws them.

import { levelOf, xOf } from './scales.js';
import { piecesBeside } from './views.js';

const MOST_BANDS = 8;
// A mark that is wider than this share of the trace marks nothing.
const WHOLE = 0.995;

const PLAIN = { linear: false, frequency: false };

/**
 * The level of a point: the one that it states, else that of the curve. A fitted centre is between samples, and may be just
 * beyond the end of the piece that has the lowest one. So both pieces beside it count.
 */
function levelIn({ nm, level_db: level, is_peak: isPeak }, view) {
  if (typeof level === 'number') return level;
  const levels = (view ? piecesBeside(view, nm) : []).map((piece) => (isPeak ? view.max : view.min)[piece]).filter((value) => value !== null);
  if (levels.length === 0) return null;
  return isPeak ? Math.max(...levels) : Math.min(...levels);
}

/** The shapes of the marks: bands, widths and limits. `colours` has `band`, `width` and `limit`. */
export function shapesOf(marks, { from, to }, colours, scale = PLAIN) {
  const span = ({ from_nm: low, to_nm: high }) => ({ x0: xOf(low, scale), x1: xOf(high, scale) });
  const bands = marks.filter(({ kind, from_nm: low, to_nm: high }) => kind === 'band' && high - low < WHOLE * (to - from));
  const whole = { yref: 'paper', y0: 0, y1: 1, layer: 'below' };
  return [
    ...bands.slice(0, MOST_BANDS).map((mark) => ({
      type: 'rect', ...span(mark), ...whole, fillcolor: colours.band, opacity: 0.5, line: { width: 0 },
    })),
    ...marks.filter(({ kind }) => kind === 'width').map((mark) => ({
      type: 'rect', ...span(mark), ...whole, fillcolor: colours.width, opacity: 0.16, line: { width: 0 },
    })),
    ...marks.filter(({ kind }) => kind === 'limit').map((mark) => ({
      type: 'line', ...span(mark), y0: levelOf(mark.level_db, scale), y1: levelOf(mark.level_db, scale), line: { color: colours.limit, width: 1.4, dash: 'dash' },
    })),
  ];
}

/** The points of the marks as a curve of symbols; null where there are none. */
export function pointsOf(marks, view, colours, scale = PLAIN) {
  const points = marks.filter(({ kind }) => kind === 'point').map((mark) => ({ ...mark, y: levelIn(mark, view) })).filter(({ y }) => y !== null);
  if (points.length === 0) return null;
  const good = (verdict) => verdict === null || verdict === undefined || verdict === 'pass';
  return {
    type: 'scatter',
    mode: 'markers',
    x: points.map(({ nm }) => xOf(nm, scale)),
    y: points.map(({ y }) => levelOf(y, scale)),
    customdata: points.map(({ nm, y }) => [nm, y]),
    text: points.map(({ text, verdict }) => (verdict ? `${text}: ${verdict}` : text)),
    hovertemplate: '%{text}<br>%{customdata[0]:.4f} nm, %{customdata[1]:.2f} dB<extra></extra>',
    marker: {
      symbol: points.map(({ verdict }) => (good(verdict) ? 'circle-open' : 'x-thin-open')),
      size: 9,
      color: points.map(({ verdict }) => (good(verdict) ? colours.point : colours.limit)),
      line: { width: 2 },
    },
  };
}
