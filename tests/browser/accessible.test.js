// No serious finding of axe-core: on the page with everything open, on the wall, and at the login; light and dark, wide and narrow.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Bench, until } from './bench.js';

const AXE = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));

let bench;
let page;
let axe;

before(async () => {
  axe = await readFile(AXE, 'utf8');
  bench = await Bench.open({ timeScale: 0.05 });
  page = bench.page;
  await page.goto(bench.url);
  await bench.startFromList('wafer');
  await bench.sees('#run-state', /^done$/);
  await bench.sees('#figures tbody tr', /insertion_loss_db/);
  await bench.ask('/batch/pause', {});
  await bench.ask('/batch/items', { recipe: 'recipes/short.yaml' });
  await bench.sees('.queue-line', /short/);
});

after(async () => {
  await bench?.close();
});

/** The serious and critical findings, in words. */
async function findings() {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return grave.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary.replace(/\s+/g, ' ')}`));
}

async function checkEverywhere(what) {
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await findings(), [], `${what}, ${width} px, ${colorScheme}`);
      await bench.picture(`accessible-${what}-${width}-${colorScheme}`);
    }
  }
}

for (const tab of ['figures', 'traces', 'steps', 'log']) {
  test(`the page with its ${tab}`, async () => {
    await bench.tab(tab);
    await page.locator('#queue-list details').evaluate((details) => (details.open = true));
    await checkEverywhere(tab);
  });
}

test('the drawer with the form, and what is wrong with a recipe', async () => {
  await bench.openForm();
  await page.check('[name="source"][value="text"]');
  await page.fill('#start-recipe-text', 'name: wrong\nsteps:\n  - sweeep:\n');
  await page.click('#start-check');
  await bench.sees('#findings .excerpt.error', /sweeep/);
  await checkEverywhere('drawer');
  await page.check('[name="source"][value="list"]');
  await page.keyboard.press('Escape');
});

test('a run that asks', async () => {
  await bench.startFromList('questions');
  await bench.sees('#question-message', /connected/);
  await checkEverywhere('question');
  await page.click('#run-abort');
  assert.deepEqual(await findings(), [], 'the dialog');
  await page.click('#abort-dialog button[value="now"]');
  await bench.sees('#run-state', /^aborted$/);
});

test('the wall, and the login', async () => {
  await page.goto(`${bench.url}/wall`);
  await bench.sees('#state', /./);
  await checkEverywhere('wall');
  await page.goto(`${bench.url}/login`);
  await checkEverywhere('login');
});

test('whoever wants little motion sees none', async () => {
  await page.goto(bench.url);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await until('the page is there', () => page.locator('#run-title').isVisible());
  const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((node) => parseFloat(getComputedStyle(node).transitionDuration) > 0).length);
  assert.equal(moving, 0);
});
