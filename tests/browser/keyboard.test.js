// The page without a mouse: Tab reaches every control, the focus is seen there, and keys operate it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

const CONTROLS = 'button, input, select, textarea, summary, a[href], [tabindex="0"]';
const MOST_TABS = 400;

let bench;
let page;

before(async () => {
  bench = await Bench.open({ timeScale: 0.05 });
  page = bench.page;
  await page.addInitScript(addNames);
  await page.goto(bench.url);
  await bench.ask('/batch/pause', {});
  for (const recipe of ['recipes/short.yaml', 'recipes/short.yaml']) await bench.ask('/batch/items', { recipe });
  await bench.startFromList('wafer');
  await bench.sees('#run-state', /^done$/);
  await bench.sees('#figures tbody tr', /insertion_loss_db/);
  await until('the spectrum is drawn', () => page.evaluate(() => document.getElementById('plot').data?.length > 0));
});

after(async () => {
  await bench?.close();
});

/** Gives the page a name for each element, which stays the same while the element does. */
function addNames() {
  const text = (element) => (element.getAttribute('aria-label') ?? element.textContent ?? '').trim().replace(/\s+/g, ' ').slice(0, 40);
  /** @type {any} */ (globalThis).nameOf = (element) => [element.tagName.toLowerCase(), element.id && `#${element.id}`, text(element), element.name].filter(Boolean).join(' ');
}

/** The controls that can be seen in a part of the page, and that Tab should reach. */
function expected(part) {
  return page.evaluate(
    ([controls, within]) => {
      const seen = (element) => element.checkVisibility({ checkVisibilityCSS: true }) && element.getClientRects().length > 0;
      // Arrows reach the others of a group.
      const inGroup = (element) => (element.type === 'radio' && !element.checked) || (element.getAttribute('role') === 'tab' && element.tabIndex < 0);
      const all = [...document.querySelectorAll(within)].flatMap((root) => [...root.querySelectorAll(controls)]);
      const wanted = all.filter((element) => seen(element) && !element.disabled && element.tabIndex >= 0 && !inGroup(element));
      return wanted.map(/** @type {any} */ (globalThis).nameOf);
    },
    [CONTROLS, part],
  );
}

/** What has the focus, and whether that is seen. */
function focused() {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (element === null || element === document.body) return null;
    const seen = (style) => (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
    return { name: /** @type {any} */ (globalThis).nameOf(element), isSeen: element.matches(':focus-visible') && seen(getComputedStyle(element)) };
  });
}

/** Every control that Tab reaches, all around the page: behind the last one, the first one comes again. */
async function tabbed() {
  const found = new Map();
  for (let count = 0; count < MOST_TABS; count += 1) {
    await page.keyboard.press('Tab');
    const now = await focused();
    if (now === null) continue;
    if (now.name === found.keys().next().value) break;
    // A field of a date has several parts, one after the other.
    found.set(now.name, now.isSeen || found.get(now.name) === true);
  }
  return found;
}

async function everythingIsReached(part) {
  const wanted = await expected(part);
  assert.ok(wanted.length > 1, `${part}: ${wanted}`);
  const reached = await tabbed();
  assert.deepEqual(wanted.filter((name) => !reached.has(name)), [], 'Tab does not reach');
  assert.deepEqual([...reached].filter(([, isSeen]) => !isSeen).map(([name]) => name), [], 'the focus is not seen');
}

/** Goes to a control by Tab alone. */
async function reach(selector) {
  for (let count = 0; count < MOST_TABS; count += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${selector}`);
}

async function press(selector, ...keys) {
  await reach(selector);
  for (const key of keys) await page.keyboard.press(key);
}

const attribute = (selector, name) => page.locator(selector).getAttribute(name);
const shown = (selector) => page.locator(selector).isVisible();

for (const tab of ['figures', 'traces', 'steps', 'log']) {
  test(`Tab reaches every control of the page with its ${tab}, and the focus is seen`, async () => {
    await bench.tab(tab);
    await everythingIsReached('body');
  });
}

test('Tab reaches every control of the form', async () => {
  await press('#start-open', 'Enter');
  await until('the form is there', () => shown('#start-go'));
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'start-recipe', 'the form begins at the recipe');
  await everythingIsReached('#start');
  await reach('#start-queue-box summary');
  await page.keyboard.press('Enter');
  await everythingIsReached('#start');
  await page.keyboard.press('Escape');
  assert.equal(await shown('#start'), false);
});

test('keys operate the spectrum', async () => {
  const from = () => page.inputValue('#window-from');
  const whole = await from();
  await press('#level-scale', 'Space');
  assert.equal(await attribute('#level-scale', 'aria-pressed'), 'true');
  await page.keyboard.press('Space');
  await press('#axis-scale', 'Enter');
  assert.equal(await attribute('#axis-scale', 'aria-pressed'), 'true');
  await page.keyboard.press('Enter');
  assert.equal(await attribute('#axis-scale', 'aria-pressed'), 'false');
  await press('#pin', 'Enter');
  await until('there is something to unpin', () => shown('#unpin'));
  await press('#unpin', 'Space');
  await until('nothing is pinned', async () => !(await shown('#unpin')));
  await press('#plot-frame', 'ArrowRight');
  await until('the cursor is there', () => shown('#plot-cursor'));
  for (const [selector, key] of [['#plot-frame', '+'], ['#zoom-in', 'Enter'], ['#zoom-left', 'Space'], ['#zoom-right', 'Enter'], ['#zoom-out', 'Space']]) {
    const before = `${await from()} ${await page.inputValue('#window-to')}`;
    await press(selector, key);
    await until(`${selector} has moved the window`, async () => `${await from()} ${await page.inputValue('#window-to')}` !== before);
  }
  await press('#zoom-reset', 'Enter');
  await until('the whole trace is shown', async () => (await from()) === whole);
  await reach('#window-from');
  await page.keyboard.press('Control+A');
  await page.keyboard.type(String(Number(whole) + 1));
  await page.keyboard.press('Enter');
  await until('the window begins there', async () => Number(await from()) === Number(whole) + 1);
  await press('#plot-frame', '0');
  await until('the whole trace is shown again', async () => (await from()) === whole);
});

test('arrows go from tab to tab, and Space chooses what is shown', async () => {
  await bench.tab('figures');
  await reach('#tab-figures');
  for (const next of ['traces', 'steps', 'log', 'figures', 'traces']) {
    await page.keyboard.press('ArrowRight');
    assert.equal(await attribute(`#tab-${next}`, 'aria-selected'), 'true');
    assert.equal(await page.evaluate(() => document.activeElement?.id), `tab-${next}`);
  }
  const drawn = () => page.evaluate(() => /** @type {any} */ (document.getElementById('plot')).data.length);
  const before = await drawn();
  await press('#traces input[type="checkbox"]:not(:checked)', 'Space');
  await until('one more trace is drawn', async () => (await drawn()) > before);
  await press('#traces-follow', 'Space');
  assert.equal(await page.isChecked('#traces-follow'), true);
});

test('keys choose the module, filter the runs and open one', async () => {
  await reach('#live-interval');
  const before = await page.inputValue('#live-interval');
  await page.keyboard.press('ArrowDown');
  assert.notEqual(await page.inputValue('#live-interval'), before);
  await reach('#runs-search');
  await page.keyboard.type('nothing of this name');
  await bench.sees('#runs-none', /./);
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  await until('the run is listed', async () => (await page.locator('#runs-list a, #runs-list button').count()) > 0);
  await reach('#runs-list a, #runs-list button');
  await page.keyboard.press('Enter');
  await bench.sees('#run-title', /wafer/);
});

test('keys open an item of the queue, remove it after a question, and resume the queue', async () => {
  await press('#queue-list summary', 'Enter');
  await until('the item is open', () => page.locator('#queue-list details[open]').count());
  await press('#queue-list button[aria-label^="Remove item"]', 'Space');
  await until('the question is asked', () => shown('#remove-dialog'));
  await everythingIsReached('#remove-dialog');
  await press('#remove-dialog button[value="remove"]', 'Enter');
  await until('one item is left', async () => (await page.locator('#queue-list > li').count()) === 1);
  await press('#queue-banner-resume', 'Enter');
  await until('the item has been measured', async () => !(await shown('#queue-list')));
});

test('a dialog holds the focus and gives it back', async () => {
  await bench.startFromList('questions');
  await bench.sees('#question-message', /connected/);
  await press('#run-abort', 'Enter');
  await until('the question is asked', () => shown('#abort-dialog'));
  await everythingIsReached('#abort-dialog');
  await page.keyboard.press('Escape');
  await until('the dialog is closed', async () => !(await shown('#abort-dialog')));
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'run-abort');
  await press('#question-form button', 'Enter');
  // The next question follows at once.
  await bench.sees('#question-message', /^Which device is it/);
  await press('#lasers-off', 'Enter');
  await bench.sees('#off-result', /./);
});

test('the browser had nothing to complain about', () => bench.assertQuiet());
