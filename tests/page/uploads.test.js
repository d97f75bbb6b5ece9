// What the page says about runs that are not in the object store yet.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordsOfUploads } from '../../src/sidecar/dashboard/uploads.js';

const idle = { store: 's3://lab/bench', waiting: 0, looked: true, run: null, bytes: 0, all_bytes: 0, trouble: null, next_attempt: null, refused: [] };

test('without a store, and when everything is uploaded, nothing is said', () => {
  assert.equal(wordsOfUploads(null), null);
  assert.equal(wordsOfUploads(undefined), null);
  assert.equal(wordsOfUploads(idle), null);
});

test('the backlog is said with its progress, or with the reason why it waits', () => {
  const sending = wordsOfUploads({ ...idle, waiting: 2, run: 'abc234', bytes: 1, all_bytes: 3 });
  assert.equal(sending.text, '2 runs not uploaded yet · uploading abc234: 33 %');
  const away = wordsOfUploads({ ...idle, waiting: 1, trouble: 'cannot connect: refused' });
  assert.equal(away.text, '1 run not uploaded yet · cannot connect: refused');
  assert.equal(away.isProblem, false);
});

test('a run that a person must look at is a problem', () => {
  const refused = wordsOfUploads({ ...idle, refused: [{ folder: 'runs/x', reason: 'the run is damaged' }] });
  assert.deepEqual([refused.text, refused.isProblem], ['1 run cannot be uploaded: the run is damaged', true]);
});
