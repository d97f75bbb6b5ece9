// What goes away comes back: the instrument, the program, and the page says so in between.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;

before(async () => {
  bench = await Bench.open();
  page = bench.page;
  await page.goto(bench.url);
  await bench.sees('#live-status', /^live/);
  // A page that was loaded anew would have forgotten this.
  await page.evaluate(() => (globalThis.sameHere = true));
});

after(async () => {
  await bench?.close();
});

async function seesReadings() {
  await bench.sees('#link', /^connected$/);
  await bench.sees('#live-status', /^live/);
  const before = await bench.reading(1);
  await until('the power moves', async () => (await bench.reading(1)) !== before);
}

test('an instrument that goes away is told, and its readings come back with it', async () => {
  await bench.instrument.kill();
  await bench.sees('#link', /^away: ./);
  await bench.sees('#live-status', /Not connected to CTP10/);
  assert.equal(await page.locator('#live-numbers.stale').count(), 1);
  assert.match(await page.title(), /SIMULATED/, 'it is still the simulated one');
  await bench.instrument.start();
  await seesReadings();
});

test('a program that is started again is found again', async () => {
  await bench.server.kill();
  await bench.sees('#link', /cannot be reached, next attempt in/);
  await bench.sees('#live-status', /^connection lost/);
  await bench.server.start();
  await seesReadings();
});

test('a run that the program was killed in is shown as interrupted', async () => {
  const run = await bench.startFromList('rings');
  await bench.sees('#run-progress-text', /^\d+ of [\d,]+ operations/);
  await bench.server.kill();
  await bench.sees('#run-link', /connection lost/);
  await bench.server.start();
  await bench.sees('#run-state', /^interrupted$/);
  assert.ok(page.url().endsWith(`#run=${run}`));
  await bench.openForm();
  await until('another one may begin', async () => page.locator('#start-go').isEnabled());
  await seesReadings();
});

test('the page was not loaded anew for that', async () => {
  assert.equal(await page.evaluate(() => globalThis.sameHere), true);
  bench.assertQuiet();
});
