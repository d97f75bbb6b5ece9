// @ts-check
// The scales of the spectrum: wavelength or frequency, and levels in dB or linear. The choice stays on this computer.

import { recall, remember } from './kept.js';

// The speed of light in nm·THz.
const LIGHT = 299_792.458;
const LINEAR_UNITS = { dB: '', dBm: 'mW', dBmA: 'mA' };

/** @typedef {{ linear: boolean, frequency: boolean }} Scale */

/** @returns {Scale} */
export function recallScale() {
  const { linear = false, frequency = false } = recall('scale');
  return { linear: linear === true, frequency: frequency === true };
}

/** @param {Scale} scale */
export const rememberScale = (scale) => remember('scale', scale);

/** The place of a wavelength on the horizontal axis, and back. */
export const xOf = (nm, { frequency }) => (frequency ? LIGHT / nm : nm);
export const nmOf = xOf;

/** A window of wavelengths as the ends of the horizontal axis, the lower one first. */
export function endsOf({ from, to }, scale) {
  const ends = [xOf(from, scale), xOf(to, scale)];
  return scale.frequency ? ends.reverse() : ends;
}

/** The window of wavelengths between two places of the horizontal axis. */
export function windowOf(low, high, scale) {
  const [one, other] = [nmOf(low, scale), nmOf(high, scale)];
  return { from: Math.min(one, other), to: Math.max(one, other) };
}

/** A level on the vertical axis. */
export const levelOf = (level, { linear }) => (linear && level !== null ? 10 ** (level / 10) : level);

/** The unit of a level; empty for a share. */
export const unitOf = (unit, { linear }) => (linear ? (LINEAR_UNITS[unit] ?? '') : unit);

export const axisUnit = ({ frequency }) => (frequency ? 'THz' : 'nm');
