// @ts-check
// What the instrument is and does, asked about once a second while somebody looks; and the emergency button.

import { BackOff, post, request, retryNow } from './net.js';
import { announce, byId, el, keyed, setAttribute, setText } from './dom.js';
import * as format from './format.js';

const INTERVAL_MS = 1_000;
// Knowledge older than this is said to be old.
const STALE_S = 5;

/** Asks about the instrument for as long as the page lives; `tell` hears every answer and when it was asked for. */
export function watchInstrument(activity, tell) {
  const backOff = new BackOff();
  let timer = 0;
  let away = false;
  let asking = false;
  let who = null;
  let known = null;

  /** An instrument that is away is still the one that answered at its address: simulated stays simulated. */
  function rememberWho(instrument) {
    const { address, identity } = instrument;
    if (identity !== null) who = instrument;
    const same = identity === null && who?.address === address;
    return same ? { ...instrument, identity: who.identity, simulated: who.simulated } : instrument;
  }

  function draw(instrument) {
    const { simulated, connected } = instrument;
    known = instrument;
    document.body.classList.toggle('simulated', simulated === true);
    byId('simulated-note').hidden = simulated !== true;
    const kind = byId('kind');
    kind.hidden = simulated === null;
    setText(kind, simulated ? 'SIMULATED' : 'REAL');
    setText(byId('identity'), instrument.identity?.split(',').slice(0, 3).join(' ') ?? 'not identified yet');
    setAttribute(byId('identity'), 'title', instrument.identity);
    setText(byId('address'), instrument.address ?? '');
    drawLink(connected ? 'on' : 'away', connected ? 'connected' : `away${reason(instrument)}`);
    drawCondition(instrument);
    drawLasers(instrument.lasers ?? []);
    const old = instrument.age_s !== null && instrument.age_s > STALE_S;
    setText(byId('known-age'), old ? `as of ${format.duration(instrument.age_s)} ago` : '');
  }

  function drawCondition({ connected, condition, activity: found }) {
    const busy = activity.or(found);
    const words = busy ? format.activity(busy.operation, busy.progress, busy.eta_s) : (condition ?? '');
    setText(byId('condition'), connected ? words : '');
  }

  function drawUnreachable(message, retryAt) {
    const left = Math.ceil((retryAt - Date.now()) / 1000);
    drawLink('lost', `${message}, next attempt in ${left} s`);
    // What was known of the instrument is not known any more.
    known = null;
    setText(byId('condition'), '');
    setText(byId('known-age'), 'not up to date');
  }

  const ask = async () => {
    clearTimeout(timer);
    if (asking) return;
    asking = true;
    let pause = INTERVAL_MS;
    const askedAt = performance.now();
    try {
      const instrument = rememberWho(await request('instrument', { timeoutMs: 5_000 }));
      backOff.reset();
      if (away) retryNow();
      away = false;
      draw(instrument);
      tell(instrument, askedAt);
    } catch (error) {
      away = true;
      pause = backOff.next();
      drawUnreachable(error.message, Date.now() + pause);
    } finally {
      asking = false;
    }
    if (!document.hidden) timer = setTimeout(ask, pause);
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? clearTimeout(timer) : ask()));
  const lasersOff = createLasersOff(ask);
  byId('lasers-off').addEventListener('click', lasersOff);
  byId('plan-lasers-off').addEventListener('click', lasersOff);
  activity.onChange(() => known && drawCondition(known));
  ask();
  return ask;
}

function reason({ reason: text }) {
  return text ? `: ${text}` : '';
}

function drawLink(state, text) {
  const link = byId('link');
  if (link.dataset.state !== state && link.dataset.state !== 'unknown') announce(`Instrument ${text}`);
  link.dataset.state = state;
  setText(link, text);
  setAttribute(link, 'title', text);
}

function drawLasers(lasers) {
  keyed(
    byId('lasers'),
    lasers,
    ({ laser }) => String(laser),
    () => el('li', { class: 'laser' }, el('b'), el('span', { class: 'laser-state' }), el('span', { class: 'laser-values' })),
    (node, laser) => {
      node.classList.toggle('lit', laser.on === true);
      node.title = laser.identity ?? '';
      const [name, state, values] = node.children;
      setText(name, `Laser ${laser.laser}`);
      setText(state, laser.on === true ? 'ON' : laser.on === false ? 'off' : 'unknown');
      setText(values, `${format.fixed(laser.power_dbm, 2)} dBm ${format.fixed(laser.wavelength_nm, 3)} nm`);
    },
  );
}

/** One click, no question: whoever presses this is in a hurry. It can be pressed again while it waits. */
function createLasersOff(askAgain) {
  let calls = 0;
  return async () => {
    calls += 1;
    const mine = calls;
    tellOff('working', 'Turning all lasers off …');
    try {
      const result = await post('off', undefined, { timeoutMs: 45_000 });
      if (mine === calls) tellOff(...wordsOfOff(result));
    } catch (error) {
      if (mine === calls) tellOff('bad', `The lasers may still be on: ${error.message}. Use the switch of the instrument.`);
    }
    askAgain();
  };
}

function wordsOfOff({
  aborted, lasers_off: off = [], lasers_unknown: unknown = [], instruments_safe: safe = [], instruments_unknown: unsafe = [], run,
}) {
  const list = (lasers) => `${lasers.length === 1 ? 'laser' : 'lasers'} ${lasers.join(', ')}`;
  const made = safe.length > 0 ? ` Safe: ${safe.join(', ')}.` : '';
  const ended = `${made}${run ? ` Run ${run} was stopped.` : ''}${aborted ? '' : ' The instrument did not confirm that it is idle.'}`;
  const dark = off.length > 0 ? `Off: ${list(off)}.` : 'No laser was confirmed off.';
  if (unknown.length > 0) return ['bad', `${dark} NOT confirmed off: ${list(unknown)}. Use the switch of the instrument.${ended}`];
  if (unsafe.length > 0) return ['bad', `${dark} NOT confirmed safe: ${unsafe.join(', ')}. Check these instruments.${ended}`];
  return [off.length > 0 ? 'good' : 'bad', `${dark}${ended}`];
}

function tellOff(state, text) {
  // In the dialog when that is open: what is behind it is neither seen nor read out.
  const box = byId('off-result');
  const dialog = byId('plan-dialog');
  const home = dialog.open ? dialog.querySelector('header') : byId('bar');
  if (box.previousElementSibling !== home) home.after(box);
  box.dataset.state = state;
  box.hidden = false;
  const close = el('button', { type: 'button', class: 'plain', onclick: () => (box.hidden = true), text: 'Dismiss' });
  box.replaceChildren(el('span', { text }), close);
}
