// For every hand and eye: the keyboard alone, a phone, light and dark.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;

before(async () => {
  bench = await Bench.open({ timeScale: 2 });
  page = bench.page;
  await page.goto(bench.url);
  await bench.sees('#kind', /SIMULATED/);
});

after(async () => {
  await bench?.close();
});

const focused = () => page.evaluate(() => document.activeElement?.id ?? '');

async function tabTo(id) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    if ((await focused()) === id) return;
  }
  assert.fail(`Tab does not reach ${id}`);
}

const widthOfPage = () => page.evaluate(() => document.documentElement.scrollWidth);

test('the emergency button is the first thing that Tab reaches', async () => {
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'lasers-off');
});

test('by keyboard alone a run is begun, and its end is asked for', async () => {
  await tabTo('start-open');
  await page.keyboard.press('Enter');
  await bench.sees('#start-recipe option', /rings/);
  await until('the recipe has the focus', async () => (await focused()) === 'start-recipe');
  // Nothing is chosen that nobody has chosen: typing its first letters chooses a recipe.
  assert.equal(await page.inputValue('#start-recipe'), '');
  await page.keyboard.type('rin');
  await until('the recipe is chosen', async () => /rings/.test(await page.inputValue('#start-recipe')));
  await tabTo('start-go');
  await page.keyboard.press('Enter');
  await bench.sees('#run-progress-text', /^\d+ of [\d,]+ operations, about .* left$/);
  await tabTo('tab-figures');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), 'tab-steps');
  await bench.sees('#tree .step-times', /^\d+ \/ 500$/);
  await tabTo('run-abort');
  await page.keyboard.press('Enter');
  await until('the dialog is open', () => page.locator('#abort-dialog').isVisible());
  await page.keyboard.press('Escape');
  await until('the focus is back', async () => (await focused()) === 'run-abort');
});

test('dark and light both have their picture of the run under way', async () => {
  await bench.sees('#traces-total', /^\d+$/);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const ink = await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--ink').trim());
    await until(`the plot is ${colorScheme}`, () => {
      return page.evaluate((wanted) => document.getElementById('plot').layout?.font.color === wanted, ink);
    });
    await bench.picture(`run-${colorScheme}`);
    await bench.picture(`run-${colorScheme}-whole`, { fullPage: true });
  }
});

test('on a phone the page is as wide as the phone, and the emergency button is in view', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    assert.equal(await widthOfPage(), 360);
    await until('the plot fits', () => page.evaluate(() => document.querySelector('#plot .main-svg').clientWidth <= 360));
    await bench.picture(`phone-${colorScheme}`);
    await bench.picture(`phone-${colorScheme}-whole`, { fullPage: true });
  }
  await page.locator('#runs').scrollIntoViewIfNeeded();
  const button = await page.locator('#lasers-off').boundingBox();
  assert.ok(button.y >= 0 && button.y + button.height <= 740 && button.x + button.width <= 360);
  await bench.openForm();
  await bench.picture('phone-drawer');
  const inView = await page.locator('#lasers-off').isVisible();
  assert.ok(inView, 'the drawer does not cover the emergency button');
  await page.keyboard.press('Escape');
  await until('the drawer is closed', async () => !(await page.locator('#start').isVisible()));
  await bench.abort();
  assert.equal(await widthOfPage(), 360);
});

test('the browser had nothing to complain about', () => bench.assertQuiet());
