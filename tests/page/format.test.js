// How the page writes numbers and times.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as format from '../../src/sidecar/dashboard/format.js';

/** Each row: what is given, and the text that is expected. */
function table(write, rows) {
  for (const [given, expected] of rows) assert.equal(write(...given), expected, JSON.stringify(given));
}

test('a number has a fixed count of decimals and a real minus sign, and zero has no sign', () => {
  table(format.fixed, [
    [[1.2345, 2], '1.23'],
    [[-1.5, 1], '\u22121.5'],
    [[-0.0001, 2], '0.00'],
    [[-0, 0], '0'],
    [[1e21, 0], '1e+21'],
    [[null, 2], '\u2013'],
    [[undefined, 2], '\u2013'],
    [[NaN, 2], '\u2013'],
    [[-Infinity, 2], '\u2013'],
  ]);
});

test('a minus sign is real only in front of a digit', () => {
  assert.equal(format.signed('-27.46 dB at 1540-1541 nm, sweep-less'), '\u221227.46 dB at 1540\u22121541 nm, sweep-less');
});

test('a power in mW keeps the digits that count, one in dBm has two decimals', () => {
  table(format.power, [
    [[-60.12345, 'dBm'], '\u221260.12'],
    [[123.456, 'mW'], '123.5'],
    [[12.3456, 'mW'], '12.35'],
    [[1.23456, 'mW'], '1.235'],
    [[0.00123456, 'mW'], '0.001235'],
    [[0.0000123, 'mW'], '1.23e\u22125'],
    [[0, 'mW'], '0.000000'],
    [[null, 'mW'], '\u2013'],
  ]);
});

test('a power below -70 dBm is dark', () => {
  table(format.isDark, [
    [[-70.01, 'dBm'], true],
    [[-70, 'dBm'], false],
    [[9e-8, 'mW'], true],
    [[2e-7, 'mW'], false],
    [[null, 'dBm'], false],
  ]);
});

test('a duration is written in seconds, minutes or hours, and never rounds up to 60 s', () => {
  table(format.duration, [
    [[-1], '0.0 s'],
    [[4.24], '4.2 s'],
    [[9.94], '9.9 s'],
    [[9.96], '10 s'],
    [[59.4], '59 s'],
    [[59.6], '1:00'],
    [[65], '1:05'],
    [[7389], '2:03:09'],
    [[null], '\u2013'],
  ]);
});

test('a share stays between 0 and 100 %, and an unknown one is left out', () => {
  table(format.percent, [
    [[0.456], '46 %'],
    [[-1], '0 %'],
    [[7], '100 %'],
    [[null], ''],
  ]);
});

test('an activity is told as far as it is known', () => {
  table(format.activity, [
    [['sweep', 0.45, 3.2], 'sweep, 45 %, 3.2 s left'],
    [['wait', null, undefined], 'wait'],
    [['transfer', 0, 0], 'transfer, 0 %, 0.0 s left'],
  ]);
});

test('a moment is shown in local time, without the date while it is today', () => {
  const now = new Date(2026, 10, 3, 4, 5, 6);
  assert.equal(format.moment(now.toISOString()), '2026-11-03 04:05:06');
  assert.equal(format.moment(null), '\u2013');
  assert.equal(format.soon(now.toISOString()), '2026-11-03 04:05');
  const today = new Date();
  assert.equal(format.soon(today.toISOString()), format.moment(today.toISOString()).slice(11, 16));
});

test('a count has its noun', () => {
  table(format.count, [
    [[1, 'trace'], '1 trace'],
    [[0, 'trace'], '0 traces'],
    [[12345, 'trace'], '12,345 traces'],
    [[2, 'retry', 'retries'], '2 retries'],
  ]);
});

test('a wavelength has the decimals that its step needs, from three to six', () => {
  table(format.wavelength, [
    [[1550], '1550.0000'],
    [[1550, 1], '1550.000'],
    [[1550.12345, 0.01], '1550.123'],
    [[1550.1234567, 1e-9], '1550.123457'],
    [[1550, 0], '1550.000000'],
    [[1550, NaN], '1550.000'],
  ]);
});

test('an operation is written as the command line writes it', () => {
  table(format.operation, [
    [[{ sweep: { start_nm: 1540, keep: true } }], 'sweep { start_nm: 1540, keep: true }'],
    [[{ sweep: {} }], 'sweep'],
    [[{ fetch_trace: { detectors: ['4/1', '4/2'], columns: { die: 'C3' } } }], 'fetch_trace { detectors: [4/1, 4/2], columns: { die: C3 } }'],
    [[undefined], ''],
  ]);
});
