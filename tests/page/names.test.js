// The names of traces, how far a run is, and the filter of the list of runs.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { nameOf } from '../../src/sidecar/dashboard/names.js';
import { shareOf, wordsOfProgress, wordsOfStep } from '../../src/sidecar/dashboard/progress.js';
import { filterOf } from '../../src/sidecar/dashboard/runs.js';

test('a trace has the same name on the page and in the program', () => {
  const cases = JSON.parse(readFileSync(new URL('names.json', import.meta.url), 'utf8'));
  for (const { trace, name } of cases) assert.equal(nameOf(trace), name);
});

test('the progress of a run is one number: operations done of those foreseen', () => {
  const run = { operations: 25, finished_steps: 12, state: 'running' };
  assert.equal(wordsOfProgress(run), '12 of 25 operations');
  assert.equal(shareOf(run), 12 / 25);
  assert.equal(wordsOfProgress({ ...run, operations: null }), '12 operations');
  assert.equal(shareOf({ ...run, operations: null }), null);
  assert.equal(wordsOfProgress({ ...run, finished_steps: 30 }), '30 operations', 'more than foreseen');
  assert.equal(shareOf({ ...run, finished_steps: 30 }), 0.99);
  assert.equal(shareOf({ ...run, finished_steps: 25, state: 'done' }), 1);
});

test('a step is told in words, after the turns of its loops', () => {
  assert.equal(wordsOfStep({ words: 'Sweep 1540\u20131560 nm at -5 dBm', turns: ['device=ring_3'], attempt: 2 }), 'device=ring_3 \u00b7 Sweep 1540\u20131560 nm at \u22125 dBm (attempt 2)');
  assert.equal(wordsOfStep({ words: 'Wait 3 s', attempt: 1 }), 'Wait 3 s');
  assert.equal(wordsOfStep(null), '');
});

test('a filter asks for what is chosen only', () => {
  const none = { search: ' ', status: '', verdict: '', since: '' };
  assert.deepEqual(filterOf(none), {});
  assert.deepEqual(filterOf({ search: 'ring', status: 'done', verdict: 'not measured', since: '7d' }), {
    text: 'ring',
    status: 'done',
    verdict: 'not measured',
    since: '7d',
  });
  const midnight = new Date(filterOf({ ...none, since: 'today' }).since);
  assert.deepEqual([midnight.getHours(), midnight.getMinutes()], [0, 0]);
});
