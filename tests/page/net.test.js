// How the page asks the program, and how its connections come back.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { ApiError, BackOff, keepOpen, openSocket, post, queryOf, request, retryNow, wordsOfLink } from '../../src/sidecar/dashboard/net.js';

let asked;

/** Answers every request with this status and body. */
function answerWith(status, body) {
  globalThis.fetch = async (path, options) => {
    asked.push({ path, ...options });
    return new Response(body, { status });
  };
}

/** A server that never answers, but lets a request be given up. */
function answerNever() {
  globalThis.fetch = (path, { signal }) =>
    new Promise((_, reject) => {
      const giveUp = () => reject(new DOMException('given up', 'AbortError'));
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp);
    });
}

beforeEach(() => {
  asked = [];
  globalThis.document = { baseURI: 'http://bench:8002/bench-a/' };
  globalThis.location = { protocol: 'http:', host: 'bench:8002', assign: mock.fn() };
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  mock.method(Math, 'random', () => 1);
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test('a request sends JSON and takes JSON', async () => {
  answerWith(200, '{"run":"abc"}');
  assert.deepEqual(await post('/runs', { path: 'a.yaml' }), { run: 'abc' });
  const [{ path, method, body, headers }] = asked;
  assert.deepEqual([path, method, body], ['/runs', 'POST', '{"path":"a.yaml"}']);
  assert.equal(headers['content-type'], 'application/json');
});

test('a request without a body declares none, and an empty reply is null', async () => {
  answerWith(204, null);
  assert.equal(await request('/off'), null);
  assert.equal(asked[0].body, undefined);
  assert.equal('content-type' in asked[0].headers, false);
});

test('a query has every field as text', () => {
  assert.equal(queryOf({ path: 'a b.yaml', limit: 20, attend: true, before: null }), 'path=a+b.yaml&limit=20&attend=true&before=null');
});

test('an error has its status and the words of the server', async () => {
  const findings = [{ severity: 'error', message: 'unknown field' }];
  for (const [status, body, message, found] of [
    [409, '{"detail":"run abc holds the instrument"}', 'run abc holds the instrument', null],
    [422, '{"detail":[{"loc":["body","power"],"msg":"too high"},{"loc":["query"],"msg":"missing"}]}', 'power: too high\nmissing', null],
    [422, JSON.stringify({ detail: findings }), 'unknown field', findings],
    [500, '{}', 'the server replied with status 500', null],
    [502, '<html>Bad Gateway</html>', '<html>Bad Gateway</html>', null],
    [200, 'not json', 'the reply is not JSON', null],
  ]) {
    answerWith(status, body);
    const error = await request('/runs').then(() => assert.fail('no error'), (fault) => fault);
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.status, error.message, error.findings], [status, message, found]);
  }
});

test('a request that is not logged in leads to the login', async () => {
  answerWith(401, '');
  await assert.rejects(request('/runs'), { status: 401 });
  assert.deepEqual(location.assign.mock.calls[0].arguments, ['login']);
});

test('a server that does not answer is given up, and so is one that cannot be reached', async () => {
  answerNever();
  const late = assert.rejects(request('/runs', { timeoutMs: 5_000 }), { status: 0, message: 'the server did not reply within 5 s' });
  mock.timers.tick(5_000);
  await late;
  globalThis.fetch = () => Promise.reject(new TypeError('network'));
  await assert.rejects(request('/runs'), { status: 0, message: 'the server cannot be reached' });
});

test('a request that is no longer wanted is not an error of the server', async () => {
  answerNever();
  for (const early of [true, false]) {
    const wanted = new AbortController();
    if (early) wanted.abort();
    const given = assert.rejects(request('/runs', { signal: wanted.signal }), (error) => !(error instanceof ApiError));
    wanted.abort();
    await given;
  }
});

test('pauses grow up to ten seconds, and a success makes them short again', () => {
  const backOff = new BackOff();
  const pauses = Array.from({ length: 7 }, () => backOff.next());
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  backOff.reset();
  assert.equal(backOff.next(), 500);
});

/** A connection whose openings, closings and states are written down. */
function watchedConnection() {
  const seen = { opened: [], closed: 0, states: [] };
  const end = keepOpen(
    (events) => {
      seen.opened.push(events);
      return () => (seen.closed += 1);
    },
    ({ state }) => seen.states.push(state),
  );
  return { seen, end };
}

test('a lost connection is opened again after a pause', () => {
  const { seen, end } = watchedConnection();
  seen.opened[0].up();
  seen.opened[0].lost();
  assert.deepEqual([seen.states, seen.opened.length, seen.closed], [['connecting', 'open', 'waiting'], 1, 1]);
  mock.timers.tick(499);
  assert.equal(seen.opened.length, 1);
  mock.timers.tick(1);
  assert.equal(seen.opened.length, 2);
  // What the old connection still reports is ignored.
  seen.opened[0].lost();
  seen.opened[0].up();
  assert.equal(seen.states.at(-1), 'connecting');
  end();
});

test('only a connection that lasted makes the next pause short', () => {
  const { seen, end } = watchedConnection();
  seen.opened[0].up();
  seen.opened[0].lost();
  mock.timers.tick(500);
  seen.opened[1].up();
  mock.timers.tick(5_001);
  seen.opened[1].lost();
  mock.timers.tick(500);
  assert.equal(seen.opened.length, 3);
  seen.opened[2].up();
  seen.opened[2].lost();
  mock.timers.tick(500);
  assert.equal(seen.opened.length, 3, 'the second pause is longer');
  mock.timers.tick(500);
  assert.equal(seen.opened.length, 4);
  end();
});

test('an answer of the server ends every pause, and the end of a connection is final', () => {
  const { seen, end } = watchedConnection();
  seen.opened[0].lost();
  retryNow();
  assert.equal(seen.opened.length, 2);
  seen.opened[1].lost();
  end();
  retryNow();
  mock.timers.tick(60_000);
  assert.equal(seen.opened.length, 2);
});

test('a server that closes on purpose is asked again when it says', () => {
  const sockets = [];
  globalThis.WebSocket = class {
    constructor(address) {
      sockets.push(this);
      this.address = address;
    }
    close() {}
  };
  const frames = [];
  const end = keepOpen(openSocket('ws/power', (frame) => frames.push(frame)), () => {});
  assert.equal(String(sockets[0].address), 'ws://bench:8002/bench-a/ws/power', 'a path prefix is kept');
  sockets[0].onopen();
  sockets[0].onmessage({ data: '{"type":"data"}' });
  sockets[0].onmessage({ data: '{"type":"reconnect","retry_after":3}' });
  assert.deepEqual(frames, [{ type: 'data' }]);
  mock.timers.tick(2_999);
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  assert.equal(sockets.length, 2);
  end();
});

test('the state of a connection is told in words', () => {
  assert.equal(wordsOfLink({ state: 'open' }), '');
  assert.equal(wordsOfLink({ state: 'connecting' }), 'connecting');
  assert.equal(wordsOfLink({ state: 'waiting', retryAt: Date.now() + 1_500 }), 'connection lost, next attempt in 2 s');
  assert.equal(wordsOfLink({ state: 'waiting', retryAt: Date.now() }), 'connection lost, reconnecting');
});
