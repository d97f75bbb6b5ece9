// The traces of a run: overlaid, looked at closely, and brought home.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;
let run;

before(async () => {
  bench = await Bench.open({ timeScale: 0.2 });
  page = bench.page;
  await page.goto(bench.url);
  run = await bench.startFromList('rings', { turns: 2, stop_nm: 1600 });
  await bench.sees('#run-state', /^done$/);
  await bench.sees('#traces-total', /^8$/);
});

after(async () => {
  await bench?.close();
});

/** The curves as plotly has them. */
const curves = () => page.evaluate(() => document.getElementById('plot').data?.map(({ name, x, y, yaxis, meta }) => ({ name, x, y, yaxis, ...meta })));

/** The distance between two pieces of a curve. */
function spacing({ x }) {
  const places = [...new Set(x)];
  return (places.at(-1) - places[0]) / (places.length - 1);
}

test('the newest sweep is shown, and its dips are as deep as the trace has them', async () => {
  const shown = await until('two curves are drawn', async () => {
    const found = await curves();
    return found?.length === 2 && found.every(({ x }) => x.length > 200) && found;
  });
  const { traces } = await bench.ask(`/runs/${run}/traces`);
  for (const curve of shown) {
    const trace = traces.find(({ trace_index: index }) => curve.trace === index);
    assert.equal(trace.trace, 'tf');
    assert.ok(curve.x.length < trace.points / 10, 'thinned out');
    const values = curve.y.filter((value) => value !== null);
    assert.ok(Math.abs(Math.min(...values) - trace.min.value) < 1e-3, 'the lowest point is kept');
    assert.ok(Math.abs(Math.max(...values) - trace.max.value) < 1e-3, 'the highest point is kept');
  }
});

test('zooming into a dip with the mouse fetches it finer', async () => {
  const [coarse] = await curves();
  const { traces } = await bench.ask(`/runs/${run}/traces`);
  const { min } = traces.find(({ trace_index: index }) => coarse.trace === index);
  const asked = page.waitForRequest((request) => {
    const query = new URL(request.url()).searchParams;
    return query.has('from_nm') && Number(query.get('to_nm')) - Number(query.get('from_nm')) < 10;
  });
  const ends = await page.evaluate((nm) => {
    const plot = document.getElementById('plot');
    const box = plot.getBoundingClientRect();
    const { margin, xaxis } = plot.layout;
    const [first, last] = xaxis.range;
    const width = box.width - margin.l - margin.r;
    const at = (value) => box.left + margin.l + ((value - first) / (last - first)) * width;
    return { from: at(nm - 2), to: at(nm + 2), y: box.top + box.height / 2 };
  }, min.nm);
  await page.mouse.move(ends.from, ends.y);
  await page.mouse.down();
  await page.mouse.move(ends.to, ends.y, { steps: 4 });
  await page.mouse.up();
  await asked;
  const fine = await until('the finer curve is drawn', async () => {
    const found = await curves();
    return found?.[0] && spacing(found[0]) < spacing(coarse) / 4 && found[0];
  });
  assert.ok(fine.x[0] <= min.nm && fine.x.at(-1) >= min.nm, 'the dip is in the window');

  await page.fill('#window-from', String(min.nm - 0.1));
  await page.fill('#window-to', String(min.nm + 0.1));
  await page.press('#window-to', 'Enter');
  await bench.sees('#spectrum-info', /^Every sample is shown \(1 pm\)/);
});

test('the cursor reads the level of every curve, by mouse and by keyboard', async () => {
  const box = await page.locator('#plot').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await bench.sees('#readout', /^15\d\d\.\d+ nm.*through.*dB.*drop.*dB/);
  const before = await page.locator('#readout .at').innerText();
  await page.focus('#plot-frame');
  await page.keyboard.press('Shift+ArrowRight');
  await bench.picture('spectrum');
  await until('the cursor has moved', async () => (await page.locator('#readout .at').innerText()) !== before);
});

test('a double click shows the whole trace again', async () => {
  const box = await page.locator('#plot').boundingBox();
  await page.mouse.dblclick(box.x + box.width / 2, box.y + box.height / 2);
  await until('the window is the whole trace', async () => {
    return (await page.inputValue('#window-from')) === '1544.000' && (await page.inputValue('#window-to')) === '1600.000';
  });
});

test('dragging zooms the wavelength only', async () => {
  const box = await page.locator('#plot').boundingBox();
  await page.mouse.move(box.x + box.width * 0.1, box.y + box.height * 0.3);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.95, box.y + box.height * 0.5, { steps: 4 });
  await page.mouse.up();
  await until('the window is smaller', async () => Number(await page.inputValue('#window-from')) > 1545);
  await until('the finer curves are drawn', async () => (await page.locator('#plot-frame[aria-busy]').count()) === 0);
  // The drag covered a fifth of the height, but all levels are still in view.
  const [lowest, highest] = await page.evaluate(() => document.getElementById('plot')._fullLayout.yaxis.range);
  const drawn = (await curves()).flatMap(({ y }) => y.filter((level) => level !== null));
  assert.ok(lowest <= Math.min(...drawn) && highest >= Math.max(...drawn), `${lowest} to ${highest}`);
  await page.click('#zoom-reset');
  await until('the whole trace is shown', async () => (await page.inputValue('#window-from')) === '1544.000');
});

test('the axes can be THz and linear, and the choice is kept', async () => {
  await page.click('#axis-scale');
  await page.click('#level-scale');
  // Each click draws once.
  await until('the curves are on the other scales', async () => {
    const first = (await curves())?.[0];
    return first?.x[0] < 300 && first.y.every((level) => level === null || (level >= 0 && level < 1));
  });
  assert.equal(await page.locator('#window-unit').innerText(), 'THz');
  assert.ok(Math.abs(Number(await page.inputValue('#window-to')) - 299792.458 / 1544) < 1e-3);
  await bench.picture('spectrum-linear-thz');
  await page.reload();
  await until('they still are', async () => (await curves())?.[0].x[0] < 300);
  await page.click('#axis-scale');
  await page.click('#level-scale');
  await until('nm and dB again', async () => (await curves())?.[0].x[0] > 1500);
});

test('curves of one run are pinned over those of another, and the last spectrum stays in grey', async () => {
  await page.click('#pin');
  await bench.startFromList('short');
  await bench.sees('#run-state', /^done$/);
  await until('the last spectrum is grey', async () => (await page.locator('#plot-frame[data-stale]').count()) === 1);
  await bench.sees('#plot-stale', new RegExp(`last spectrum, run ${run}`));
  await bench.picture('spectrum-stale');
  const other = await bench.startFromList('rings', { turns: 1, stop_nm: 1600 });
  await until('both runs are drawn', async () => {
    const found = await curves();
    return found?.length === 4 && found.filter(({ pinned }) => pinned).length === 2;
  });
  assert.equal(await page.locator('#plot-frame[data-stale]').count(), 0);
  await bench.sees('#readout .level-name', new RegExp(`^rings ${run}: through`));
  await bench.picture('spectrum-pinned');
  await page.reload();
  await until('the pinned curves are there again', async () => {
    const found = await curves();
    return found?.length === 4 && found.filter(({ pinned, y }) => pinned && y.length > 100).length === 2;
  });
  await bench.sees('#readout .level-name', new RegExp(`^rings ${run}: through`));
  await page.getByRole('button', { name: /^Unpin rings .*: through/ }).click();
  await page.click('#unpin');
  await until('only those of the run are left', async () => (await curves())?.length === 2);
  await bench.sees('#run-state', /^done$/);
  assert.notEqual(other, run);
});

test('a new tab shows the last run', async () => {
  const tab = await bench.newPage({ viewport: { width: 1440, height: 900 } });
  await tab.goto(bench.url);
  await until('the spectrum is there', async () => (await tab.evaluate(() => document.getElementById('plot').data?.length)) === 2);
  assert.equal(await tab.locator('#run-title').innerText(), 'rings');
  await tab.context().close();
});

test('all files of a run are one archive', async () => {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#run-facts a:text-is("All files (zip)")')]);
  assert.match(download.suggestedFilename(), /\.zip$/);
  assert.equal(await download.failure(), null);
});

test('power has an axis of its own', async () => {
  await bench.tab('traces');
  await page.fill('#traces-filter', 'through raw');
  await until('the filter is applied', async () => (await page.locator('#traces li').count()) === 1);
  await page.locator('#traces li input').first().check();
  const shown = await until('three curves are drawn', async () => {
    const found = await curves();
    return found?.length === 3 && found;
  });
  assert.deepEqual(shown.map(({ yaxis }) => yaxis).sort(), ['y', 'y', 'y2']);
  assert.equal(await page.locator('#traces-follow').isChecked(), false);
  await page.fill('#traces-filter', '');
});

test('traces are downloaded in every format', async () => {
  for (const suffix of ['parquet', 'csv', 'arrow', 'npy']) {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator(`#traces li:last-child .downloads a:text-is(".${suffix}")`).click(),
    ]);
    assert.match(download.suggestedFilename(), new RegExp(`\\.${suffix}$`));
    assert.equal(await download.failure(), null);
  }
});

test('the browser had nothing to complain about', () => bench.assertQuiet());
