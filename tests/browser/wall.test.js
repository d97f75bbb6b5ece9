// The wall: the run under way in large letters, without controls.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;

before(async () => {
  bench = await Bench.open({ timeScale: 0.3 });
  page = bench.page;
});

after(async () => {
  await bench?.close();
});

test('before the first run the wall says so', async () => {
  await page.goto(`${bench.url}/wall`);
  await bench.sees('#kind', /^SIMULATED$/);
  await bench.sees('#name', /^No run yet$/);
});

test('a run shows its state, its step, one number and its spectrum by the names of the recipe', async () => {
  await bench.ask('/runs', { path: 'recipes/rings.yaml', unattended: true });
  await bench.sees('#name', /^rings$/);
  await bench.sees('#state', /^running$/);
  await bench.sees('#progress-text', /^\d+ of [\d,]+ operations/);
  await bench.sees('#step', /Sweep 1544\u20131556 nm at 5 dBm/);
  await bench.sees('#curves li', /^through · turn/);
  await bench.sees('#powers .name', /^drop$/);
  await until('the spectrum is drawn', () => page.evaluate(() => document.getElementById('plot').data?.length === 2));
});

test('it is read from three metres, fits on every screen, and has no controls', async () => {
  for (const [width, height] of [[1920, 1080], [1400, 900], [390, 844]]) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await bench.picture(`wall-${width}-${colorScheme}`);
    }
    const sizes = await page.evaluate(() => ['state', 'powers'].map((id) => document.getElementById(id).querySelector('.value') ?? document.getElementById(id)).map((node) => parseFloat(getComputedStyle(node).fontSize)));
    assert.ok(sizes.every((size) => size >= 0.06 * Math.min(width, height) - 1), `${sizes}`);
    assert.deepEqual(await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]), [width, height]);
  }
  assert.equal(await page.locator('button, a, input, select').count(), 0);
});

test('the verdict of the next run is shown', async () => {
  await bench.ask('/off', {});
  await bench.sees('#state', /^aborted$/);
  await bench.ask('/runs', { path: 'recipes/wafer.yaml', unattended: true });
  await bench.sees('#name', /^wafer$/);
  await bench.sees('#verdict', /^fail$/);
  await bench.sees('#state', /^done$/);
  await until('its spectrum has replaced the old one', () => page.evaluate(() => document.getElementById('plot').dataset.stale === undefined));
});

test('the browser had nothing to complain about', () => bench.assertQuiet());
