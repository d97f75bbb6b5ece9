// Wavelength or frequency, dB or linear.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axisUnit, endsOf, levelOf, nmOf, unitOf, windowOf, xOf } from '../../src/sidecar/dashboard/scales.js';

const PLAIN = { linear: false, frequency: false };
const OTHER = { linear: true, frequency: true };

test('wavelengths and frequencies turn into one another', () => {
  assert.equal(xOf(1550, PLAIN), 1550);
  assert.ok(Math.abs(xOf(1550, OTHER) - 193.414489) < 1e-6);
  assert.ok(Math.abs(nmOf(xOf(1550, OTHER), OTHER) - 1550) < 1e-9);
  assert.deepEqual([axisUnit(PLAIN), axisUnit(OTHER)], ['nm', 'THz']);
});

test('the lower end comes first on both axes', () => {
  const window = { from: 1540, to: 1560 };
  for (const scale of [PLAIN, OTHER]) {
    const [low, high] = endsOf(window, scale);
    assert.ok(low < high);
    const { from, to } = windowOf(low, high, scale);
    assert.ok(Math.abs(from - 1540) < 1e-9 && Math.abs(to - 1560) < 1e-9);
  }
});

test('levels are shares or mW on a linear scale, and gaps stay gaps', () => {
  assert.deepEqual([levelOf(-10, OTHER), unitOf('dB', OTHER)], [0.1, '']);
  assert.deepEqual([levelOf(0, OTHER), unitOf('dBm', OTHER)], [1, 'mW']);
  assert.deepEqual([levelOf(-10, PLAIN), unitOf('dB', PLAIN)], [-10, 'dB']);
  assert.equal(levelOf(null, OTHER), null);
});
