// The charts of the pages: the numbers on their axes, and the names at the ends of the live curves.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;

before(async () => {
  bench = await Bench.open({ timeScale: 0.05 });
  page = bench.page;
  await page.goto(bench.url);
  await bench.sees('#live-status', /^live/);
});

after(async () => {
  await bench?.close();
});

// A number in full or with a power of ten. A letter behind it would be a second prefix: `1μ mW`.
const NUMBER = /^[\u2212-]?\d+(\.\d+)?(e[\u2212+-]\d+)?( (dBm|mW|dB))?$/;
const TIME = /^(now|\u2212\d+ s)$/;

/** The texts of all axes of a page with their charts, and whether each is inside its chart. */
async function labelsOf(shown) {
  return shown.evaluate(() =>
    [...document.querySelectorAll('.js-plotly-plot')].flatMap((chart) => {
      const { left, right } = chart.getBoundingClientRect();
      return [...chart.querySelectorAll(':is(.xtick, .ytick, .y2tick) text')].map((node) => {
        const box = node.getBoundingClientRect();
        return { chart: chart.id, text: node.textContent, inside: box.left >= left - 0.5 && box.right <= right + 0.5 };
      });
    }),
  );
}

async function assertReadable(shown, charts) {
  const labels = await labelsOf(shown);
  assert.deepEqual([...new Set(labels.map(({ chart }) => chart))].sort(), charts);
  const wrong = labels.filter(({ text, inside }) => !inside || !(NUMBER.test(text) || TIME.test(text)));
  assert.deepEqual(wrong, []);
  return labels.map(({ text }) => text);
}

const setUnit = async (unit) => {
  for (const channel of [1, 2, 3, 4]) await bench.ask(`/detector/config?module=4&channel=${channel}`, { power_unit: unit });
  await until(`the live chart is in ${unit}`, async () => (await labelsOf(page)).some(({ text }) => text.endsWith(` ${unit}`)));
};

/** The names at the ends of the live curves. */
const names = () => until('all names are drawn', async () => {
  const found = await page.evaluate(() => [...document.querySelectorAll('#live-chart .annotation-text')].map((node) => node.getBoundingClientRect().toJSON()));
  return found.length === 4 && found;
});

test('the live chart writes numbers without a second prefix, dark and lit, in both units', async () => {
  await setUnit('mW');
  await until('the chart is dark', async () => (await labelsOf(page)).some(({ text }) => /e\u2212[67] mW$/.test(text)));
  await assertReadable(page, ['live-chart']);
  await bench.picture('live-dark-mw');
  await bench.ask('/rlaser/1/on', {});
  await until('there is light', async () => (await page.locator('.tile [data-dark]').count()) === 0);
  for (const unit of ['dBm', 'mW']) {
    await setUnit(unit);
    await names();
    await assertReadable(page, ['live-chart']);
    await bench.picture(`live-lit-${unit}`);
  }
});

test('the names of channels with nearly the same power do not cover one another', async () => {
  const boxes = await names();
  const chart = await page.locator('#live-chart').boundingBox();
  boxes.sort((a, b) => a.top - b.top);
  boxes.forEach((box, at) => {
    assert.ok(box.top >= chart.y - 1 && box.bottom <= chart.y + chart.height + 1, 'inside the chart');
    const above = boxes[at - 1];
    // A line of text has some space above and below its letters.
    assert.ok(!above || box.top - above.top >= 0.8 * box.height, `${JSON.stringify(above)} ${JSON.stringify(box)}`);
  });
});

test('the spectrum does so on every scale, and on the wall', async () => {
  await bench.startFromList('rings', { turns: 1 });
  await bench.sees('#run-state', /^done$/);
  await until('the spectrum is drawn', async () => (await labelsOf(page)).some(({ chart }) => chart === 'plot'));
  for (const button of ['#level-scale', '#axis-scale', '#level-scale', '#axis-scale']) {
    const before = (await labelsOf(page)).filter(({ chart }) => chart === 'plot').map(({ text }) => text);
    await page.click(button);
    await until('the axis has changed', async () => {
      const now = (await labelsOf(page)).filter(({ chart }) => chart === 'plot').map(({ text }) => text);
      return now.length > 0 && `${now}` !== `${before}`;
    });
    await assertReadable(page, ['live-chart', 'plot']);
  }
  const wall = await bench.newPage({ viewport: { width: 1400, height: 900 } });
  await wall.goto(`${bench.url}/wall`);
  await until('the wall has its spectrum', async () => (await labelsOf(wall)).length > 0);
  await assertReadable(wall, ['plot']);
  await wall.context().close();
});

test('on a phone no button breaks a word', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await bench.ask('/batch/pause', {});
  await page.locator('#queue-banner-resume').waitFor();
  await bench.picture('phone-banner');
  const broken = await page.evaluate(() =>
    [...document.querySelectorAll('button')].filter((button) => button.checkVisibility()).flatMap((button) => {
      const walker = document.createTreeWalker(button, NodeFilter.SHOW_TEXT);
      const found = [];
      while (walker.nextNode()) {
        const { data } = walker.currentNode;
        for (const { index, 0: word } of data.matchAll(/\S+/g)) {
          const range = document.createRange();
          range.setStart(walker.currentNode, index);
          range.setEnd(walker.currentNode, index + word.length);
          if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) found.push(word);
        }
      }
      return found;
    }),
  );
  assert.deepEqual(broken, []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
});

test('the browser had nothing to complain about', () => bench.assertQuiet());
