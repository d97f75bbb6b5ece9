// @ts-check
// The curves that were pinned. They stay in their tab when the page is loaded again.

import { recall, remember } from './kept.js';
import { nameOf } from './names.js';
import { CURVES } from './theme.js';

const NAME = 'pins';
// More curves than a picture has room for.
const MOST = 100;
const inTab = () => sessionStorage;

const isSame = (one, other) => one.run === other.run && one.trace.trace_index === other.trace.trace_index;

/** Whether a curve that was kept can be drawn: another version of the page may have kept it. */
const isCurve = ({ run, trace, slot, label }) =>
  typeof run === 'string' && typeof label === 'string' && Number.isInteger(slot) && [trace?.trace_index, trace?.start_nm, trace?.step_pm, trace?.points].every(Number.isFinite);

/** The pinned curves: `{ run, trace, slot, view, pinned, label }`. */
export class Pins {
  #curves;

  constructor() {
    const { curves } = recall(NAME, inTab);
    const known = Array.isArray(curves) ? curves.filter((curve) => curve !== null && isCurve(curve)) : [];
    this.#curves = known.slice(0, MOST).map((curve) => ({ ...curve, view: null, pinned: true }));
  }

  all() {
    return this.#curves;
  }

  /** Pins curves of the run with this name. */
  add(curves, runName) {
    const fresh = curves.filter((curve) => !this.#curves.some((one) => isSame(one, curve))).slice(0, MOST - this.#curves.length);
    // Colours from the other end, so that pinned curves differ from those of the next run.
    const slotOf = (place) => CURVES - 1 - ((this.#curves.length + place) % CURVES);
    this.#take([...this.#curves, ...fresh.map((curve, place) => ({ ...curve, pinned: true, slot: slotOf(place), label: `${runName || 'run'} ${curve.run}: ${nameOf(curve.trace)}` }))]);
  }

  /** Takes one pinned curve away, or all of them. */
  remove(chosen = null) {
    this.#take(chosen === null ? [] : this.#curves.filter((one) => one !== chosen));
  }

  #take(curves) {
    this.#curves = curves;
    remember(NAME, { curves: curves.map(({ run, trace, slot, label }) => ({ run, trace, slot, label })) }, inTab);
  }
}
