// The fitted lines over a curve.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fits, linesOf } from '../../src/sidecar/dashboard/fits.js';

const PLAIN = { linear: false, frequency: false };
const CENTER = 1550;
const Q = 10_000;
const FWHM = CENTER / Q;
const WINDOW = { from_nm: CENTER - 4 * FWHM, to_nm: CENTER + 4 * FWHM };
const FIGURES = [
  { figure: 'q_loaded', value: Q, nm: CENTER, of: 'dip 1', window: WINDOW },
  { figure: 'extinction_db', value: 20, nm: CENTER, of: 'dip 1', window: WINDOW },
];

/** A dip of 20 dB on a base of -3 dB. */
const truth = (nm) => 10 * Math.log10(10 ** -0.3 * (1 - 0.99 / (1 + ((2 * (nm - CENTER)) / FWHM) ** 2)));

function viewOf(from, to) {
  const nm = Array.from({ length: 2001 }, (_, step) => from + ((to - from) * step) / 2000);
  const level = nm.map(truth);
  return { wavelength_nm: nm, min: level, max: level, step_nm: (to - from) / 2000 };
}

const curve = (view) => ({ run: 'abc', trace: { trace_index: 1 }, view });

test('a fitted line lies on the curve that it describes', () => {
  const marks = linesOf(FIGURES);
  assert.equal(marks.length, 1);
  const [{ x, y }] = new Fits().curvesOf(marks, curve(viewOf(CENTER - 2, CENTER + 2)), 'black', PLAIN);
  const off = Math.max(...x.map((nm, step) => Math.abs(y[step] - truth(nm))));
  assert.ok(off < 0.05, `${off} dB`);
});

test('a doublet is drawn as its two lines, with a strength of its own for each', () => {
  const half = 0.8 * FWHM;
  const doublet = [...FIGURES, { figure: 'doublet_splitting_nm', value: 2 * half, nm: CENTER, of: 'dip 1', window: WINDOW }];
  const line = (nm, center) => 1 / (1 + ((2 * (nm - center)) / FWHM) ** 2);
  const level = (nm) => 10 * Math.log10(0.5 * (1 - 0.7 * line(nm, CENTER - half) - 0.25 * line(nm, CENTER + half)));
  const nm = Array.from({ length: 4001 }, (_, step) => CENTER - 2 + step / 1000);
  const view = { wavelength_nm: nm, min: nm.map(level), max: nm.map(level), step_nm: 0.001 };
  const [{ x, y }] = new Fits().curvesOf(linesOf(doublet), curve(view), 'black', PLAIN);
  const off = Math.max(...x.map((at, step) => Math.abs(y[step] - level(at))));
  assert.ok(off < 0.1, `${off} dB`);
});

test('the line stays when only a part of it is looked at', () => {
  const fits = new Fits();
  const inside = curve(viewOf(CENTER - FWHM, CENTER + FWHM));
  assert.equal(fits.curvesOf(linesOf(FIGURES), inside, 'black', PLAIN).length, 0, 'its base is not known yet');
  fits.curvesOf(linesOf(FIGURES), curve(viewOf(CENTER - 2, CENTER + 2)), 'black', PLAIN);
  assert.equal(fits.curvesOf(linesOf(FIGURES), inside, 'black', PLAIN).length, 1);
});
