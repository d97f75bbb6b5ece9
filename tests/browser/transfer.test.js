// Where the instrument takes one connection only, a transfer has it, and the page says so.

import { after, before, test } from 'node:test';
import { Bench } from './bench.js';

let bench;

before(async () => {
  bench = await Bench.open({ simulate: ['--max-connections', '1', '--fault', 'slow@trace:every=50000'] });
  await bench.page.goto(bench.url);
  await bench.sees('#live-status', /^live/);
});

after(async () => {
  await bench?.close();
});

test('during a transfer the page says that it is one, and the power is live again after it', async () => {
  await bench.startFromList('rings', { turns: 1 });
  await bench.sees('#live-status', /^busy: transfer/);
  await bench.sees('#run-state', /^done$/);
  await bench.sees('#live-status', /^live/);
  bench.assertQuiet();
});
