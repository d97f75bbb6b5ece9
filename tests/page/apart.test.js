// The names at the ends of the live curves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apart } from '../../src/sidecar/dashboard/apart.js';

test('labels that are far from one another stay', () => {
  assert.deepEqual(apart([80, 10, 40], 12, 0, 100), [80, 10, 40]);
  assert.deepEqual(apart([], 12, 0, 100), []);
});

test('labels at the same place are moved apart, in their order and inside the chart', () => {
  assert.deepEqual(apart([50, 50, 20], 12, 0, 100), [50, 62, 20]);
  assert.deepEqual(apart([99, 98, 97, 96], 12, 0, 100), [100, 88, 76, 64]);
  assert.deepEqual(apart([-5, 200], 12, 0, 100), [0, 100]);
});
