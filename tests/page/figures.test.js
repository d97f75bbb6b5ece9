// Verdicts in words, the order of figures, and the marks over a trace.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inOrder, remarkOf, shownOf, warningsOf } from '../../src/sidecar/dashboard/figures.js';
import { pointsOf, shapesOf } from '../../src/sidecar/dashboard/marks.js';
import { wordsOfVerdicts, wordsOfYield } from '../../src/sidecar/dashboard/verdict.js';

const counts = (pass, marginal = 0, not_measured = 0, fail = 0) => ({ pass, marginal, not_measured, fail });

test('verdicts are counted by device, or by analysis where there are no devices', () => {
  assert.equal(wordsOfVerdicts({ devices: counts(7, 1, 1, 2), analyses: counts(20) }), '7 of 11 devices pass, 1 marginal, 2 fail, 1 not measured');
  assert.equal(wordsOfVerdicts({ devices: counts(0), analyses: counts(1) }), '1 of 1 analysis pass');
  assert.equal(wordsOfVerdicts(null), '');
  assert.equal(wordsOfYield(counts(1, 0, 0, 2)), '1 of 3 pass (33 %)');
});

test('the worst verdicts come first, and figures without limits last', () => {
  const verdicts = inOrder([{ figure: 'a' }, { verdict: 'pass' }, { verdict: 'fail' }, { verdict: 'not measured' }]).map(({ verdict }) => verdict);
  assert.deepEqual(verdicts, ['fail', 'not measured', 'pass', undefined]);
});

test('of many figures the worst have a row, and the others are counted', () => {
  const many = Array.from({ length: 960 }, (_, place) => ({ verdict: place === 950 ? 'fail' : 'pass' }));
  const { shown, more } = shownOf(many);
  assert.deepEqual([shown[0].verdict, shown.length + more], ['fail', 960]);
  assert.equal(shownOf(many.slice(0, 2)).more, 0);
});

test('a figure without a value says why', () => {
  assert.equal(remarkOf({ text: '', not_measured: 'too dark' }), 'too dark');
  assert.equal(remarkOf({ text: '', verdict: 'not measured', reason: 'only a bound', not_measured: 'too dark' }), 'only a bound');
  assert.equal(remarkOf({ text: '1 dB', verdict: 'fail', reason: '1 dB is above 0.5 dB' }), '');
});

test('a warning of an analysis is shown once', () => {
  const figures = [{ warnings: ['levels in dBm'] }, {}, { warnings: ['levels in dBm', 'few samples'] }];
  assert.deepEqual(warningsOf(figures), ['levels in dBm', 'few samples']);
});

const COLOURS = { band: 'band', width: 'width', limit: 'limit', point: 'point' };

test('a band as wide as the trace marks nothing, and limits lie at their level', () => {
  const whole = { kind: 'band', from_nm: 1500, to_nm: 1600 };
  const band = { kind: 'band', from_nm: 1540, to_nm: 1560 };
  const limit = { kind: 'limit', from_nm: 1540, to_nm: 1560, level_db: -1.5 };
  const shapes = shapesOf([whole, band, limit], { from: 1500, to: 1600 }, COLOURS);
  assert.deepEqual(shapes.map(({ type, x0 }) => [type, x0]), [['rect', 1540], ['line', 1540]]);
  assert.deepEqual([shapes[1].y0, shapes[1].y1], [-1.5, -1.5]);
});

test('a point without a level lies on the curve, and one that fails differs by its symbol', () => {
  const view = { wavelength_nm: [1549, 1550, 1551], min: [-1, -20, -1], max: [-1, -2, -1], step_nm: 1 };
  const marks = [{ kind: 'point', nm: 1550, level_db: null, text: 'a', verdict: null }, { kind: 'point', nm: 1551, level_db: -3, text: 'b', verdict: 'fail' }];
  const points = pointsOf(marks, view, COLOURS);
  assert.deepEqual(points.y, [-20, -3]);
  assert.notEqual(points.marker.symbol[0], points.marker.symbol[1]);
  assert.deepEqual(points.text, ['a', 'b: fail']);
  assert.equal(pointsOf([], view, COLOURS), null);
});

test('a fitted centre between two pieces has the lowest sample of both, and on a peak the highest', () => {
  const view = { wavelength_nm: [1549, 1550, 1551], min: [-1, -20, -9], max: [-1, -2, -0.5], step_nm: 1 };
  const at = (nm, isPeak) => pointsOf([{ kind: 'point', nm, level_db: null, is_peak: isPeak, text: '', verdict: null }], view, COLOURS).y;
  assert.deepEqual([at(1549.4, false), at(1549.6, false), at(1550.7, false)], [[-20], [-20], [-20]]);
  assert.deepEqual([at(1550.4, true), at(1550.6, true)], [[-0.5], [-0.5]]);
});

test('marks follow the scale of the plot', () => {
  const limit = { kind: 'limit', from_nm: 1540, to_nm: 1560, level_db: -10 };
  const [line] = shapesOf([limit], { from: 1500, to: 1600 }, COLOURS, { linear: true, frequency: true });
  assert.equal(line.y0, 0.1);
  assert.ok(line.x0 > 190 && line.x0 < 200, 'THz');
});
