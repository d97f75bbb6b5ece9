// @ts-check
// Requests to the program, and connections that come back by themselves.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
// A connection that lasted this long was a good one: the next loss starts with a short pause again.
const PROVEN_MS = 5_000;

/** What went wrong with a request, in words for whoever asked; `findings` when a recipe was refused. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(wordsOf(status, detail));
    this.status = status;
    this.findings = Array.isArray(detail) && detail.every((entry) => entry.severity) ? detail : null;
  }
}

function wordsOf(status, detail) {
  if (typeof detail === 'string') return detail;
  if (Array.isArray(detail)) return detail.map(wordsOfEntry).join('\n');
  return `the server replied with status ${status}`;
}

function wordsOfEntry(entry) {
  const place = (entry.loc ?? []).filter((part) => part !== 'body' && part !== 'query').join('.');
  const words = entry.msg ?? entry.message ?? JSON.stringify(entry);
  return place ? `${place}: ${words}` : words;
}

/** The query of an address: each field as text. */
export const queryOf = (fields) => String(new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)])));

/**
 * Asks the program; JSON in, JSON out. The path is relative to the page, so that a path prefix of a proxy is kept. Rejects with `ApiError`, or an `AbortError` when `signal` says so.
 *
 * @param {string} path
 * @param {{ method?: string, body?: any, timeoutMs?: number, signal?: AbortSignal }} [options]
 * @returns {Promise<any>}
 */
export async function request(path, { method = 'GET', body, timeoutMs = 10_000, signal } = {}) {
  const cut = new AbortController();
  const giveUp = () => cut.abort(signal.reason);
  if (signal?.aborted) giveUp();
  signal?.addEventListener('abort', giveUp);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    cut.abort();
  }, timeoutMs);
  try {
    const response = await fetch(path, {
      method,
      signal: cut.signal,
      headers: { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return await takeReply(response);
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    if (late) throw new ApiError(0, `the server did not reply within ${Math.round(timeoutMs / 1000)} s`);
    throw new ApiError(0, 'the server cannot be reached');
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}

async function takeReply(response) {
  if (response.status === 401) {
    location.assign('login');
    throw new ApiError(401, 'please log in');
  }
  const text = await response.text();
  let reply;
  try {
    reply = text === '' ? null : JSON.parse(text);
  } catch {
    throw new ApiError(response.status, response.ok ? 'the reply is not JSON' : text.slice(0, 300));
  }
  if (!response.ok) throw new ApiError(response.status, reply?.detail);
  return reply;
}

/** @type {(path: string, body?: any, options?: { timeoutMs?: number, signal?: AbortSignal }) => Promise<any>} */
export const post = (path, body, options = {}) => request(path, { method: 'POST', body, ...options });

/** Growing pauses with a random part, so that many pages do not come back all at once. */
export class BackOff {
  #tries = 0;

  next() {
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#tries);
    this.#tries += 1;
    return longest * (0.5 + Math.random() / 2);
  }

  reset() {
    this.#tries = 0;
  }
}

const waiting = new Set();

/** The server has just answered: whoever waits for it need not wait longer. */
export function retryNow() {
  for (const start of [...waiting]) start();
}

/**
 * Keeps a connection open. `open({ up, lost })` starts one and returns how to close it; `tell` hears
 * `connecting`, `open` and `waiting` (with the time of the next attempt). Returns how to end it for good.
 */
export function keepOpen(open, tell) {
  const backOff = new BackOff();
  let attempt = 0;
  let timer = 0;
  let openedAt = 0;
  let close = null;

  const start = () => {
    clearTimeout(timer);
    waiting.delete(start);
    attempt += 1;
    const mine = attempt;
    openedAt = 0;
    tell({ state: 'connecting' });
    const up = () => {
      if (mine !== attempt) return;
      openedAt = Date.now();
      tell({ state: 'open' });
    };
    const lost = (leastPauseMs = 0) => {
      if (mine !== attempt) return;
      attempt += 1;
      close?.();
      if (openedAt > 0 && Date.now() - openedAt > PROVEN_MS) backOff.reset();
      const pause = Math.max(backOff.next(), leastPauseMs);
      tell({ state: 'waiting', retryAt: Date.now() + pause });
      timer = setTimeout(start, pause);
      waiting.add(start);
    };
    close = open({ up, lost });
  };
  start();

  return () => {
    attempt += 1;
    clearTimeout(timer);
    waiting.delete(start);
    close?.();
  };
}

/** Opens a WebSocket on the program's own address, for `keepOpen`. */
export function openSocket(path, onMessage) {
  return ({ up, lost }) => {
    // Relative to the page, so that a path prefix of a proxy is kept.
    const address = new URL(path, document.baseURI);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(address);
    socket.onopen = up;
    socket.onclose = () => lost();
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      // The server closes on purpose and says when to come back.
      if (frame.type === 'reconnect') lost((frame.retry_after ?? 0) * 1000);
      else onMessage(frame, lost);
    };
    return () => {
      socket.onclose = null;
      socket.onmessage = null;
      socket.close();
    };
  };
}

/**
 * The hint of a connection's state for people; empty while it is open.
 *
 * @param {{ state: string, retryAt?: number }} link
 */
export function wordsOfLink({ state, retryAt }) {
  if (state === 'open') return '';
  if (state === 'connecting') return 'connecting';
  const left = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  return left > 0 ? `connection lost, next attempt in ${left} s` : 'connection lost, reconnecting';
}
