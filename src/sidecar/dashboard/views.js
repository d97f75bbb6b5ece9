// @ts-check
// Windows of traces as the program thins them out: in each piece the lowest and the highest value, so that no dip is lost.

import { queryOf, request } from './net.js';

// Enough for going back and forth between a few windows of all curves.
const KEPT = 48;

/** To a femtometre: finer than any instrument, and the same window is the same request. */
const round = (nm) => Math.round(nm * 1e6) / 1e6;

/** Fetches views of traces, and keeps the last ones. */
export class Views {
  #kept = new Map();

  /** The view of a trace in a window; from memory when it was asked for just before. */
  async fetch(run, trace, { from, to }, points, signal) {
    const query = queryOf({ from_nm: round(from), to_nm: round(to), points });
    const path = `runs/${encodeURIComponent(run)}/traces/${trace.trace_index}/view?${query}`;
    const view = this.#kept.get(path) ?? withCurve(await request(path, { signal, timeoutMs: 30_000 }));
    this.#kept.delete(path);
    this.#kept.set(path, view);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
    return view;
  }
}

/** Adds the curve: where a piece holds several values, a stroke from one end to the other. */
function withCurve(view) {
  const { wavelength_nm: nm, min, max } = view;
  const x = [];
  const y = [];
  let before = null;
  nm.forEach((at, piece) => {
    const [low, high] = [min[piece], max[piece]];
    if (low === null || low === high) {
      x.push(at);
      y.push(low);
      before = low;
      return;
    }
    // First the end that is nearer to where the curve is: no needless strokes across.
    const nearLow = before === null || Math.abs(before - low) <= Math.abs(before - high);
    x.push(at, at);
    y.push(...(nearLow ? [low, high] : [high, low]));
    before = nearLow ? high : low;
  });
  return { ...view, x, y, step_nm: nm.length > 1 ? (nm.at(-1) - nm[0]) / (nm.length - 1) : 0 };
}

/** The pieces of a view below and above a wavelength; none outside. A view of one piece has it twice. */
export function piecesBeside({ wavelength_nm: nm, step_nm: step }, at) {
  if (nm.length === 0 || at < nm[0] - step || at > nm.at(-1) + step) return [];
  let [low, high] = [0, nm.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (nm[middle] <= at) low = middle;
    else high = middle;
  }
  return [low, high];
}

/** The piece of a view that is nearest to a wavelength; null outside. */
export function pieceAt(view, at) {
  const { wavelength_nm: nm, min, max } = view;
  const [low, high] = piecesBeside(view, at);
  if (low === undefined) return null;
  const piece = at - nm[low] <= nm[high] - at ? low : high;
  return { nm: nm[piece], min: min[piece], max: max[piece], piece };
}
