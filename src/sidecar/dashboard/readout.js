// @ts-check
// The cursor in the spectrum, and what every curve has there.

import { pieceAt } from './views.js';
import { byId, el } from './dom.js';
import { nameOf } from './names.js';
import { axisUnit, levelOf, nmOf, unitOf } from './scales.js';
import * as format from './format.js';

/** The level of a curve at a wavelength; from the lowest to the highest where a piece has several samples. */
function levelAt(view, nm, unit, scale) {
  const piece = pieceAt(view, nm);
  if (piece === null || piece.min === null) return format.NONE;
  const text = (level) => (scale.linear ? format.signed(Number(levelOf(level, scale).toPrecision(4)).toString()) : format.fixed(level, 3));
  const [low, high] = [text(piece.min), text(piece.max)];
  const shown = unitOf(unit, scale);
  return `${low === high ? low : `${low} \u2026 ${high}`}${shown && ` ${shown}`}`;
}

/** The cursor of the plot. `at()` is its wavelength, null while there is none. */
export function createReadout({ frame, scale, area, shown, unpin, ends, window, place }) {
  let cursor = null;

  function move(pieces) {
    const { from, to } = window();
    const step = Math.max(...shown().map(({ view }) => view?.step_nm ?? 0)) || (to - from) / 500;
    const by = pieces * step * (scale.frequency ? -1 : 1);
    cursor = Math.min(to, Math.max(from, (cursor ?? (from + to) / 2) + by));
    draw();
  }

  function pointAt(clientX) {
    const within = area();
    if (within === null) return;
    const share = (clientX - frame.getBoundingClientRect().left - within.left) / within.width;
    if (share < 0 || share > 1) return;
    const [low, high] = ends();
    cursor = nmOf(low + share * (high - low), scale);
    draw();
  }

  function draw() {
    const within = area();
    const { from, to } = window();
    const line = byId('plot-cursor');
    const inside = within !== null && cursor !== null && cursor >= from && cursor <= to;
    line.hidden = !inside;
    const [low, high] = ends();
    if (inside) line.style.transform = `translateX(${within.left + ((place(cursor) - low) / (high - low)) * within.width}px)`;
    const words = inside ? `${format.wavelength(place(cursor), (high - low) / 1000)} ${axisUnit(scale)}` : 'Point at the plot to read levels';
    byId('readout').replaceChildren(el('b', { class: inside ? 'at' : 'at dim', text: words }), ...shown().map((curve) => entry(curve, inside)));
  }

  function entry(curve, inside) {
    const { trace, slot, view, pinned, label } = curve;
    const level = inside && view ? levelAt(view, cursor, trace.unit, scale) : unitOf(trace.unit, scale);
    const name = label ?? nameOf(trace);
    const remove = pinned && el('button', { type: 'button', class: 'plain', 'aria-label': `Unpin ${name}`, onclick: () => unpin(curve), text: '\u00d7' });
    return el('span', { class: 'level' },
      el('i', { class: `swatch curve-${slot + 1}${pinned ? ' pinned' : ''}` }),
      el('span', { class: 'level-name', text: name }), el('b', { text: level }), remove);
  }

  frame.addEventListener('keydown', (event) => {
    if (event.target !== frame || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    move(event.shiftKey ? 10 * by : by);
  });
  frame.addEventListener('pointermove', (event) => pointAt(event.clientX));
  frame.addEventListener('pointerdown', (event) => pointAt(event.clientX));
  return { at: () => cursor, draw };
}
