// A page from elsewhere, open in the same browser, drives no laser.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let elsewhere;
let page;

before(async () => {
  bench = await Bench.open();
  elsewhere = http.createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>elsewhere</title>');
  });
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  await until('the instrument is connected', async () => (await bench.ask('/instrument')).connected);
  page = await bench.newPage();
  await page.goto(`http://evil.example:${elsewhere.address().port}/`);
});

after(async () => {
  await bench?.close();
  elsewhere?.close();
});

/** Opens the live power from a page and gives what came of it. */
const openPower = (from, host) =>
  from.evaluate(
    (address) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://${address}/ws/power`);
        socket.onmessage = () => resolve('a reading');
        socket.onclose = () => resolve('refused');
      }),
    host,
  );

test('it cannot watch the power, and a page of this machine can', async () => {
  assert.equal(await openPower(page, bench.server.address), 'refused');
  await bench.page.goto(bench.url);
  assert.equal(await openPower(bench.page, bench.server.address), 'a reading');
});

test('it cannot turn the lasers off, and a page of this machine can', async () => {
  await bench.ask('/rlaser/1/on', {});
  assert.equal((await bench.ask('/rlaser/1/state')).is_on, true);
  const answered = page.waitForResponse((response) => response.url().endsWith('/off'));
  await page.evaluate((url) => fetch(`${url}/off`, { method: 'POST', mode: 'no-cors' }).catch(() => {}), bench.url);
  assert.equal((await answered).status(), 403);
  assert.equal((await bench.ask('/rlaser/1/state')).is_on, true);

  await bench.page.click('#lasers-off');
  await bench.sees('#off-result', /^Off: lasers? 1\b/);
  assert.equal((await bench.ask('/rlaser/1/state')).is_on, false);
});

test('it cannot reach the program under a name of its own', async () => {
  const [, port] = bench.server.address.split(':');
  const response = await page.goto(`http://evil.example:${port}/instrument`);
  assert.equal(response.status(), 403);
});
