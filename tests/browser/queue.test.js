// The queue on the page: filled, put in order, held, emptied; and what others change in it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;

before(async () => {
  bench = await Bench.open({ timeScale: 2 });
  page = bench.page;
  await page.goto(bench.url);
  await bench.sees('#queue-none', /^The queue is empty/);
  await bench.openForm();
  await page.locator('#start-queue').waitFor();
});

after(async () => {
  await bench?.close();
});

const row = (number) => page.locator('.queue-item').filter({ has: page.locator(`.queue-line > .dim:text-is("${number}")`) });
const stateOf = (number) => row(number).locator('.tag').textContent();
/** Opens what is below the line of an item. */
const open = (number) => row(number).locator('details').evaluate((details) => (details.open = true));
const tool = (number, name) => row(number).getByRole('button', { name });
const comes = (number, state) => until(`item ${number} is ${state}`, async () => (await stateOf(number)) === state);
const order = () => page.locator('#queue-list .queue-item[data-state="queued"] .queue-line > .dim').allInnerTexts();
const inOrder = (...numbers) => until(`the order is ${numbers}`, async () => (await order()).join() === numbers.join());
const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.id);

async function add(recipe, parameters = {}) {
  await bench.openForm();
  await page.selectOption('#start-recipe', { label: recipe });
  for (const [name, value] of Object.entries(parameters)) await page.fill(`#parameter-${name}`, String(value));
  await page.click('#start-queue');
  return Number(/item (\d+)\.$/.exec(await bench.sees('#start-added', /^Added to the queue as item \d+\.$/))[1]);
}

/** The same as somebody else would do it. */
const elsewhere = (recipe, fields = {}) => bench.ask('/batch/items', { recipe: `recipes/${recipe}.yaml`, ...fields });

test('an item that is added runs, is done, and leads to its run and report', async () => {
  assert.equal(await add('short', { power_dbm: 4 }), 1);
  await comes(1, 'done');
  await page.keyboard.press('Escape');
  await page.click('#queue-over-title');
  assert.match(await row(1).locator('.queue-line').innerText(), /short\.yaml.*power_dbm=4.*done/s, 'one line');
  await open(1);
  assert.equal(await row(1).locator('.queue-set').innerText(), 'power_dbm=4');
  const report = row(1).getByRole('link', { name: 'Report of item 1' });
  assert.equal((await fetch(new URL(await report.getAttribute('href'), `${bench.url}/`))).status, 200);
  await row(1).getByRole('link', { name: /^Run \w+ of item 1$/ }).click();
  await bench.sees('#run-title', /^short$/);
  await bench.sees('#run-state', /^done$/);
});

test('a queue that is paused begins nothing, and says so', async () => {
  await page.click('#queue-pause');
  await bench.sees('#queue-state', /^paused$/);
  await bench.sees('#queue-note', /No item starts before you resume/);
  await bench.openForm();
  await page.click('#start-queue-box > summary');
  await page.fill('#start-priority', '7');
  await page.fill('#start-not-before', '2030-01-02T03:04');
  await page.fill('#start-retries', '2');
  await page.check('#start-stop');
  assert.equal(await add('short'), 2);
  await page.keyboard.press('Escape');
  await open(2);
  await until('it is told what was asked for', async () => /priority 7/.test(await row(2).innerText()));
  assert.match(await row(2).innerText(), /not before 2030-01-02 03:04/);
  const item = (await bench.ask('/batch')).items[1];
  assert.deepEqual([item.priority, item.state, new Date(item.not_before).getFullYear()], [7, 'queued', 2030]);
  await bench.openForm();
  for (const field of ['priority', 'not-before', 'retries']) await page.fill(`#start-${field}`, '');
  await page.uncheck('#start-stop');
  await page.keyboard.press('Escape');
});

test('what somebody else adds shows by itself', async () => {
  await elsewhere('short', { set: { power_dbm: 1 } });
  await elsewhere('short', { set: { power_dbm: 2 } });
  await inOrder(2, 3, 4);
});

test('by keyboard alone an item is moved, and the focus goes with it', async () => {
  // The line of an item opens with the keyboard, too.
  await row(4).locator('summary').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Move item 4 up');
  await page.keyboard.press('Enter');
  await inOrder(2, 4, 3);
  assert.equal(await focused(), 'Move item 4 up');
  await page.keyboard.press('Enter');
  await inOrder(4, 2, 3);
  assert.equal(await focused(), 'Move item 4 up');
  // At the top it says why it goes no further.
  await page.keyboard.press('Enter');
  await bench.sees('#announcer', /^Item 4 is already the first$/);
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Move item 4 down');
  await page.keyboard.press('Enter');
  await inOrder(2, 4, 3);
  assert.equal(await focused(), 'Move item 4 down');
});

test('a held item says what it waits for, and is released with the same button', async () => {
  await open(3);
  await tool(3, 'Hold: item 3').click();
  await comes(3, 'held');
  assert.match(await row(3).locator('.queue-reason').innerText(), /^held over HTTP\. Release the item/);
  await bench.sees('#queue-note', /1 item waits for a person/);
  await tool(3, 'Release: item 3').click();
  await comes(3, 'queued');
});

test('an item is removed only after a question, and can be queued again', async () => {
  await tool(3, 'Remove item 3').click();
  await bench.sees('#remove-title', /^Remove item 3 \(recipes\/short\.yaml\)\?$/);
  await page.keyboard.press('Escape');
  await until('the focus is back', async () => (await focused()) === 'Remove item 3');
  assert.equal(await stateOf(3), 'queued');
  await tool(3, 'Remove item 3').click();
  await page.click('#remove-dialog button[value="remove"]');
  await comes(3, 'removed');
  await until('the focus is somewhere', async () => (await focused()) === 'queue-title');
  await tool(3, 'Queue again: item 3').click();
  await comes(3, 'queued');
});

test('what cannot be done any more is told with its reason', async () => {
  // Somebody is quicker than this page: their change is not shown before the button is pressed.
  await page.route('**/instrument', (route) => route.abort());
  await bench.sees('#link', /next attempt/);
  await bench.ask('/batch/items/3/remove', {});
  await tool(3, 'Hold: item 3').click();
  await bench.sees('#queue-problem', /^item 3 is removed$/);
  await comes(3, 'removed');
  await page.route('**/batch/items/4/hold', (route) => route.fulfill({ status: 404, json: { detail: 'there is no item 4' } }));
  await tool(4, 'Hold: item 4').click();
  await bench.sees('#queue-problem', /^there is no item 4$/);
  await page.unrouteAll({ behavior: 'wait' });
});

test('a failure is told as text, and an item under way cannot be touched', async () => {
  await bench.ask('/batch/items/2/remove', {});
  await elsewhere('lonely', { unattended: true, metadata: { note: '<img src=x onerror=alert(1)>' } });
  await elsewhere('rings', { set: { turns: 400 } });
  await elsewhere('short', { not_before: '2030-01-01T00:00:00Z' });
  await page.click('#queue-pause');
  await comes(5, 'failed');
  await open(5);
  assert.match(await row(5).innerText(), /<b>Say<\/b>|nobody/);
  assert.match(await row(5).innerText(), /note=<img src=x onerror=alert\(1\)>/);
  await comes(6, 'running');
  await open(6);
  assert.match(await row(6).innerText(), /This item is running and cannot be moved or removed/);
  assert.equal(await row(6).getByRole('button').count(), 0);
  await bench.openForm();
  await bench.sees('#start-held', /or add it to the queue/);
});

test('an item can be added while a run is under way', async () => {
  assert.equal(await page.locator('#start-go').isDisabled(), true);
  assert.equal(await add('short', { power_dbm: 3 }), 8);
  await comes(8, 'queued');
  await page.check('[name="source"][value="text"]');
  assert.equal(await page.locator('#start-queue').isDisabled(), true);
  await bench.sees('#start-queue-why', /Only a recipe from the list/);
  await page.check('[name="source"][value="list"]');
  await page.keyboard.press('Escape');
});

test('light, dark and on a phone, with an item in each state', async () => {
  await bench.ask('/batch/items/8/hold', {});
  await comes(8, 'held');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.locator('#queue').scrollIntoViewIfNeeded();
    await bench.picture(`queue-${colorScheme}`);
    await bench.picture(`queue-${colorScheme}-whole`, { fullPage: true });
  }
  await page.setViewportSize({ width: 360, height: 740 });
  await page.locator('#queue').scrollIntoViewIfNeeded();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await bench.picture('queue-phone-whole', { fullPage: true });
  await page.setViewportSize({ width: 1440, height: 1000 });
});

test('a run that is stopped by hand leaves its item held and the queue paused', async () => {
  await row(6).getByRole('link', { name: /^Run/ }).click();
  await bench.abort();
  await comes(6, 'held');
  await bench.sees('#queue-state', /^paused$/);
});

test('a program that is started again is asked anew', async () => {
  await bench.server.kill();
  await bench.sees('#link', /cannot be reached/);
  await bench.server.start();
  await bench.sees('#link', /^connected$/);
  await bench.ask('/batch/items/8/remove', {});
  await comes(8, 'removed');
});

test('the browser had nothing to complain about', () => bench.assertQuiet());
