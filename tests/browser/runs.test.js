// A run from the dashboard: begun, held, asked, stopped; and what is left of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;

before(async () => {
  bench = await Bench.open({ timeScale: 2 });
  page = bench.page;
  await page.goto(bench.url);
});

after(async () => {
  await bench?.close();
});

test('the page says that the instrument is simulated, and its power moves', async () => {
  await bench.sees('#kind', /^SIMULATED$/);
  await until('the title says so', async () => /SIMULATED/.test(await page.title()));
  assert.match(await page.locator('#simulated-note').innerText(), /SIMULATED INSTRUMENT/);
  await bench.sees('#link', /^connected$/);
  await bench.sees('.tile[data-channel="1"] .number', /^dark$/);
  const first = await bench.reading(1);
  await until('another reading is behind the word', async () => (await bench.reading(1)) !== first);
  await bench.ask('/rlaser/1/on', {});
  await bench.sees('.tile[data-channel="1"] .number', /^\u2212?\d+\.\d\d$/);
  await bench.ask('/rlaser/1/off', {});
  await bench.sees('.tile[data-channel="1"] .number', /^dark$/);
  await bench.sees('#live-status', /^live/);
});

test('a wrong recipe is told with its place, by a check and by a start', async () => {
  await bench.openForm();
  await page.check('[name="source"][value="text"]');
  await page.fill('#start-recipe-text', 'name: wrong\ndetectors: { through: 4/1 }\nsteps:\n  - sweeep:\n');
  for (const button of ['#start-check', '#start-go']) {
    await page.click(button);
    const excerpt = await bench.sees('#findings .excerpt.error', /sweeep/);
    assert.match(excerpt, /4 \|/, 'the line of the recipe');
    assert.match(excerpt, /\^/, 'the caret below it');
    // Typing takes the findings away: the next ones are those of the next button.
    await page.locator('#start-recipe-text').press('End');
    await page.locator('#start-recipe-text').pressSequentially(' ');
    await until('they are gone', async () => (await page.locator('#findings .excerpt').count()) === 0);
  }
  await page.check('[name="source"][value="list"]');
});

test('a plan lists the operations and what they take', async () => {
  await page.selectOption('#start-recipe', { label: 'rings' });
  await page.fill('#parameter-turns', '2');
  await page.click('#start-plan');
  await bench.sees('#plan-steps tr', /Fetch through and drop/);
  await bench.sees('#plan-total', /operations, about/);
  await page.keyboard.press('Escape');
  await until('it is closed', async () => !(await page.locator('#plan-dialog').isVisible()));
});

test('a parameter out of its range keeps the run from starting', async () => {
  await page.fill('#parameter-turns', '501');
  await page.click('#start-go');
  assert.equal(await page.locator('#parameter-turns:invalid').count(), 1);
  assert.equal((await bench.ask('/instrument')).run, null);
});

test('a run with a changed parameter advances step by step', async () => {
  const run = await bench.startFromList('rings', { turns: 3 });
  await until('the address keeps the run', async () => page.url().endsWith(`#run=${run}`));
  await until('the drawer is closed', async () => !(await page.locator('#start').isVisible()));
  await bench.sees('#run-current', /Sweep 1544\u20131556 nm at 5 dBm/);
  await bench.tab('steps');
  await until('a step is marked', async () => (await page.locator('#tree [aria-current="step"]').count()) === 1);
  await bench.sees('#tree .step-text', /^Fetch through and drop \((tf, )?raw\)$/);
  await bench.sees('#live-status', /^busy: (sweep|reference|transfer)/);
  await bench.sees('#tree .step-times', /^3 \/ 3$/);
  await bench.sees('#run-state', /^done$/);
  await until('every step is done', async () => (await page.locator('#tree li:not([data-state="done"])').count()) === 0);
  await bench.sees('#traces-total', /^12$/);
});

test('a run asks on the page, is held and goes on; texts are not markup', async () => {
  await bench.startFromList('questions');
  await bench.sees('#question-message', /<b>device<\/b> connected\? <img src=x/);
  assert.match(await page.title(), /QUESTION/);
  await until('the question has the focus', () => page.evaluate(() => document.activeElement.id === 'question'));
  await bench.picture('question');
  // A question is open for as long as nobody answers: the run cannot be over before it is held.
  await page.click('#run-pause');
  await bench.sees('#run-state', /^pauses at the next step$/);
  await page.click('#question-form button >> text=yes');
  await bench.sees('#run-state', /^paused$/);
  assert.match(await page.title(), /paused/);
  await until('the question is gone', async () => !(await page.locator('#question').isVisible()));
  await bench.sees('#run-pause', /^Resume$/);
  await page.click('#run-pause');
  await bench.sees('#question-message', /^Which device is it\?$/);
  await page.fill('#answer', 'ring r10');
  await page.press('#answer', 'Enter');
  await bench.sees('#run-state', /^done$/);
  await until('the question is gone', async () => !(await page.locator('#question').isVisible()));
  assert.doesNotMatch(await page.title(), /QUESTION/);
  await bench.tab('log');
  await bench.sees('#log li', /answered: ring r10/);
});

test('a run is aborted, and the list has them all', async () => {
  const run = await bench.startFromList('rings');
  await bench.sees('#run-progress-text', /^\d+ of [\d,]+ operations/);
  await page.click('#run-abort');
  await page.click('#abort-dialog button[value="keep"]');
  await until('it goes on', async () => (await bench.ask(`/runs/${run}`)).state === 'running');
  await bench.abort();
  await bench.sees('#run-reason', /stopped/);
  await until('all runs are listed', async () => (await page.locator('#runs-list a').count()) === 3);
  assert.deepEqual(await page.locator('#runs-list .tag:visible').allTextContents(), ['aborted', 'done', 'done']);
});

test('runs are found by text, status and date', async () => {
  const names = () => page.locator('#runs-list b').allInnerTexts();
  await page.fill('#runs-search', 'quest');
  await until('the text is found', async () => (await names()).join() === 'questions');
  await page.fill('#runs-search', '');
  await page.selectOption('#runs-status', 'aborted');
  await until('the aborted run is found', async () => (await names()).join() === 'rings');
  await page.selectOption('#runs-verdict', 'pass');
  await bench.sees('#runs-none', /^No run fulfils the filter\.$/);
  await page.selectOption('#runs-verdict', '');
  await page.selectOption('#runs-status', '');
  await page.selectOption('#runs-since', 'today');
  await until('all are of today', async () => (await names()).length === 3);
  await page.selectOption('#runs-since', '');
});

test('a run of before is shown, also after a reload', async () => {
  await page.locator('#runs-list a').last().click();
  await bench.sees('#run-state', /^done$/);
  await bench.sees('#traces-total', /^12$/);
  await page.reload();
  await bench.sees('#run-title', /^rings$/);
  await bench.sees('#run-state', /^done$/);
  await bench.sees('#traces-total', /^12$/);
});

test('the emergency button ends the run and says what became of the lasers', async () => {
  await bench.startFromList('rings');
  await bench.sees('#run-progress-text', /^\d+ of [\d,]+ operations/);
  await page.click('#lasers-off');
  await bench.sees('#off-result', /^Off: lasers? 1\b.*Run \w+ was stopped/);
  await bench.sees('#run-state', /^aborted$/);
});

test('the browser had nothing to complain about', () => bench.assertQuiet());
