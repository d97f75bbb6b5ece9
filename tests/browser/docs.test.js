// The page of the API, under a path prefix: it shows the paths and tries them, with nothing from another host.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, until } from './bench.js';

let bench;
let page;
const asked = [];

before(async () => {
  bench = await Bench.open({ basePath: '/bench-a' });
  page = bench.page;
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(`${bench.url}/docs`);
});

after(async () => {
  await bench?.close();
});

test('the page shows the paths of the API', async () => {
  await bench.sees('#swagger-ui .title', /^ctp10/);
  await bench.sees('#swagger-ui .opblock-summary-path', /health/);
  await bench.picture('docs');
});

test('a path can be tried there', async () => {
  const path = page.locator('.opblock', { has: page.locator('[data-path="/health"]') });
  await path.locator('.opblock-summary').click();
  await path.locator('.try-out__btn').click();
  await path.locator('.execute').click();
  await until('the reply is shown', async () => /"healthy"/.test(await path.locator('.live-responses-table').innerText()));
  await bench.picture('docs-tried');
});

test('nothing came from another host, and the policy of the page refused nothing', () => {
  const own = /^(http:\/\/127\.0\.0\.1:\d+\/bench-a\/|data:|blob:)/;
  assert.deepEqual(asked.filter((address) => !own.test(address)), []);
  bench.assertQuiet();
});
