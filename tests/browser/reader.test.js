// A session that only reads, behind a path prefix: everything is shown, and nothing can be changed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

const FULL = 'the-token-of-this-bench-1';
const READER = 'the-token-of-a-reader-22';

let bench;
let page;
const refused = [];

before(async () => {
  bench = await Bench.open({ tokens: [FULL, READER], basePath: '/bench-a', timeScale: 0.3 });
  page = bench.page;
  page.on('response', (response) => response.status() >= 400 && refused.push(`${response.status()} ${response.url()}`));
});

after(async () => {
  await bench?.close();
});

async function logIn(token) {
  await page.goto(`${bench.url}/login`);
  await page.fill('#token', token);
  await page.click('button');
  await bench.sees('#link', /^connected$/);
}

test('a reader logs in behind the prefix and sees readings', async () => {
  await logIn(READER);
  assert.ok(page.url().startsWith(`${bench.url}/`), page.url());
  await bench.sees('#read-only', /^read only$/);
  await bench.sees('#live-status', /^live/);
});

test('a run of somebody else is followed, its question is read, and there is no button that changes anything', async () => {
  await bench.ask('/runs', { path: 'recipes/questions.yaml', attend: true });
  await bench.sees('#question-message', /connected/);
  for (const id of ['start-open', 'lasers-off', 'run-controls', 'question-form', 'queue-pause']) {
    assert.equal(await page.locator(`#${id}`).isVisible(), false, id);
  }
  await bench.picture('reader', { fullPage: true });
  await bench.ask('/off', {});
  await bench.sees('#run-state', /^aborted$/);
});

test('a reader sees traces, and the wall', async () => {
  await bench.ask('/runs', { path: 'recipes/rings.yaml', parameters: { turns: 1 }, unattended: true });
  await bench.sees('#traces-total', /^4$/);
  await until('the spectrum is drawn', () => page.evaluate(() => document.getElementById('plot').data?.length === 2));
  await bench.sees('#run-state', /^done$/);
  await page.goto(`${bench.url}/wall`);
  await bench.sees('#state', /^done$/);
  await bench.sees('#curves li', /^through/);
  assert.deepEqual(refused, [], 'no request was refused');
});

test('after a logout the page asks for a token, and the other token may do everything', async () => {
  await page.goto(`${bench.url}/`);
  await page.click('#logout');
  await page.locator('#token').waitFor();
  await logIn(FULL);
  await until('the form can be opened', () => page.locator('#start-open').isVisible());
  assert.equal(await page.locator('#read-only').isVisible(), false);
  bench.assertQuiet();
});
