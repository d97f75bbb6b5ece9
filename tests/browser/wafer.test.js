// Figures and verdicts: beside the run and in the list, below the spectrum and over it, and as a map of the wafer.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;
let run;

before(async () => {
  bench = await Bench.open({ timeScale: 0.05 });
  page = bench.page;
  await page.goto(bench.url);
  run = await bench.startFromList('wafer');
  await bench.sees('#run-state', /^done$/);
});

after(async () => {
  await bench?.close();
});

test('the verdict stands beside the state of the run, with the counts of its devices, and in the list of runs', async () => {
  await bench.sees('#run-verdict', /^fail$/);
  await bench.sees('#run-facts', /6 of 8 devices pass, 2 fail/);
  await bench.sees('#runs-list .row-tags', /fail/);
  const status = await bench.ask(`/runs/${run}`);
  assert.equal(status.verdict, 'fail');
  assert.deepEqual(status.verdicts.devices, { pass: 6, marginal: 0, not_measured: 0, fail: 2 });
});

test('the figures of the trace that is shown are in a table, those with limits first', async () => {
  await bench.sees('#figures tbody tr', /insertion_loss_db/);
  const rows = await page.locator('#figures tbody tr:not(.of-trace)').allTextContents();
  const { figures } = await bench.ask(`/runs/${run}/figures?trace=8`);
  assert.equal(rows.length, figures.length);
  const limited = rows.map((row) => /pass|fail|marginal|not measured/.test(row));
  assert.ok(limited[0] && !limited.slice(limited.indexOf(false)).includes(true), rows.join('\n'));
  await bench.sees('#figures tbody td', /^max 6 \(guard 0.5\)$/);
});

test('dips and limits are drawn over the trace', async () => {
  const drawn = await until('the marks are drawn', async () => {
    const found = await page.evaluate(() => {
      const plot = document.getElementById('plot');
      const points = plot.data?.find(({ mode }) => mode === 'markers');
      return points && { x: points.x, shapes: plot.layout.shapes.length };
    });
    return found?.x.length > 0 && found;
  });
  const { marks } = await bench.ask(`/runs/${run}/figures?trace=8`);
  const points = marks.filter(({ kind }) => kind === 'point');
  assert.deepEqual(drawn.x, points.map(({ nm }) => nm));
  assert.ok(drawn.shapes > 0, 'a width or a limit');
});

test('the wafer map shows each die by verdict and by figure, with the yield', async () => {
  await until('the map is there', () => page.locator('#wafer').isVisible());
  await bench.sees('#wafer-maps figcaption', /^Wafer W12 8 dies$/);
  const titles = () => page.locator('#wafer-maps path title').allTextContents();
  assert.equal((await titles()).length, 8);
  const sizes = await page.locator('#wafer-maps path').evaluateAll((dies) => dies.filter((die) => die.querySelector('title')).map((die) => die.getBoundingClientRect().width));
  assert.ok(sizes.every((width) => width > 5), `every die is drawn: ${sizes}`);
  assert.equal((await titles()).filter((title) => /^(A3|B2): fail/.test(title)).length, 2);
  await bench.sees('#wafer-yields td', /^7 of 8 pass \(88 %\)$/);
  await page.selectOption('#wafer-shade', 'insertion_loss_db');
  await bench.sees('#wafer-maps svg[aria-label="Wafer W12: insertion_loss_db in dB, 8 dies"] text', /^insertion_loss_db in dB$/);
  await bench.sees('#wafer-maps text', /^\d.* dB$/);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await bench.picture(`wafer-${colorScheme}`, { fullPage: true });
  }
  await page.setViewportSize({ width: 390, height: 844 });
  // A phone has no place for both: the map is behind a tab.
  assert.equal(await page.locator('#wafer').isVisible(), false);
  await page.click('#pictures-wafer');
  assert.deepEqual([await page.locator('#wafer').isVisible(), await page.locator('#spectrum').isVisible()], [true, false]);
  await until('the page is as narrow as the phone', async () => (await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    await bench.picture(`wafer-phone-${colorScheme}`, { fullPage: true });
  }
  bench.assertQuiet();
});

test('another run has no map and no figures of this one', async () => {
  await page.setViewportSize({ width: 1440, height: 1000 });
  // The run is over in a moment: nothing may rely on seeing it under way.
  await bench.openForm();
  await page.selectOption('#start-recipe', { label: 'short' });
  await page.click('#start-go');
  await bench.sees('#run-title', /^short$/);
  await bench.sees('#run-state', /^done$/);
  await until('no map', async () => !(await page.locator('#wafer').isVisible()) && !(await page.locator('#figures').isVisible()));
  await until('no verdict', async () => !(await page.locator('#run-verdict').isVisible()));
});
