// @ts-check
// What a run says while it goes on: lines of its recipe, warnings, faults. The newest, in words.

import { byId, el, setText } from './dom.js';
import * as format from './format.js';

const KEPT = 200;

const WORDS = {
  taken_up: ({ steps }) => `resumed by another process after step ${steps}`,
  decided: ({ number, outcome }) => `decided by a person: step ${number} ${outcome === null ? 'is repeated' : 'counts as done'}`,
  waits_until: ({ until }) => `waits until ${format.moment(until)}`,
  trace_withdrawn: ({ trace_index: index, reason }) => `trace ${index} was withdrawn: ${reason}`,
  power_withdrawn: ({ file, rows, reason }) => `${format.count(rows, 'reading')} of ${file} are stored again: ${reason}`,
  sweep_repeated: ({ number, files }) => `step ${number} is repeated for ${files.join(', ')}`,
  log: ({ message }) => message,
  warning: ({ message }) => message,
  step_failed: ({ fault, then }) => `step failed: ${wordsOfFault(fault)}${wordsOfThen(then)}`,
  question: ({ message }) => `asked: ${message}`,
  answered: ({ answer, by_operator: byOperator }) => `answered: ${answer}${byOperator ? '' : ' (unattended)'}`,
  link_lost: ({ reason }) => `the connection to the instrument was lost: ${reason}`,
  link_regained: ({ after_s: after }) => `connection restored after ${format.duration(after)}`,
  paused: () => 'paused',
  darkened: ({ off }) => `long pause: lasers ${off.join(', ')} are off until the run continues`,
  resumed: ({ after_s: after }) => `the run continues after ${format.duration(after)}`,
  disk_full: ({ wait_s: wait }) => `not enough disk space: waiting for space for ${format.duration(wait)}`,
  room_again: ({ after_s: after }) => `there is enough disk space again, after ${format.duration(after)}`,
  suspended: ({ condition }) => `suspended: ${condition}`,
  suspension_over: () => 'the run continues after its suspension',
  stopping: ({ reason }) => `stopping: ${reason}`,
  lasers_off: ({ off, unknown }) => wordsOfLasers(off, unknown),
  instruments_safe: ({ safe, unknown }) => wordsOfInstruments(safe, unknown),
  finished: ({ state, reason }) => (reason ? `${state}: ${reason}` : state),
};

const BAD = new Set(['warning', 'step_failed', 'link_lost', 'disk_full', 'suspended', 'stopping']);

function wordsOfFault(fault) {
  return typeof fault === 'string' ? fault : (fault?.message ?? JSON.stringify(fault));
}

function wordsOfThen(then) {
  if (then?.kind === 'retry') return `; next attempt in ${format.duration(then.after_s)}`;
  return then?.kind === 'continue' ? '; the run continues' : '';
}

function wordsOfLasers(off = [], unknown = []) {
  const parts = [off.length > 0 && `lasers ${off.join(', ')} off`, unknown.length > 0 && `NOT confirmed off: ${unknown.join(', ')}`];
  return parts.filter(Boolean).join('; ');
}

function wordsOfInstruments(safe = [], unknown = []) {
  const parts = [safe.length > 0 && `${safe.join(', ')} safe`, unknown.length > 0 && `NOT confirmed safe: ${unknown.join(', ')}`];
  return parts.filter(Boolean).join('; ');
}

export function clearMessages() {
  byId('messages').replaceChildren();
  byId('messages-box').hidden = true;
}

export function addMessage(record) {
  const words = WORDS[record.event]?.(record);
  if (!words) return;
  const list = byId('messages');
  // Whoever reads further up is not pulled down.
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
  const time = format.moment(record.time).slice(11);
  list.append(el('li', { class: BAD.has(record.event) && 'bad' }, el('time', { datetime: record.time, text: time }), ` ${words}`));
  while (list.childElementCount > KEPT) list.firstChild.remove();
  byId('messages-box').hidden = false;
  setText(byId('messages-count'), `(${list.childElementCount})`);
  if (atEnd) list.scrollTop = list.scrollHeight;
}
