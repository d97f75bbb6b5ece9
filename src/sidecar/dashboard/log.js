// @ts-check
// What a run says while it goes on: lines of its recipe, warnings, faults, in words.

import { byId, el, keyed, setText, showProblem, throttled } from './dom.js';
import { hearJournal } from './follow.js';
import { nameOf } from './names.js';
import * as format from './format.js';

const KEPT = 2000;

const WORDS = {
  taken_up: ({ steps }) => `resumed by another process after step ${steps}`,
  decided: ({ number, outcome }) => `decided by a person: step ${number} ${outcome === null ? 'is repeated' : 'counts as done'}`,
  waits_until: ({ until }) => `waits until ${format.moment(until)}`,
  trace_withdrawn: ({ trace_index: index, reason }) => `trace ${index} was withdrawn: ${reason}`,
  power_withdrawn: ({ file, rows, reason }) => `${format.count(rows, 'reading')} of ${file} are stored again: ${reason}`,
  sweep_repeated: ({ number, files }) => `step ${number} is repeated for ${files.join(', ')}`,
  started: ({ name }) => `${name} starts`,
  trace_stored: ({ trace }) => (trace.attempt > 1 ? `measured again: ${nameOf(trace)}` : `stored: ${nameOf(trace)}`),
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

const BAD = new Set(['warning', 'step_failed', 'link_lost', 'disk_full', 'suspended', 'stopping', 'sweep_repeated']);

function wordsOfFault(fault) {
  return typeof fault === 'string' ? fault : (fault?.message ?? JSON.stringify(fault));
}

function wordsOfThen(then) {
  if (then?.kind === 'retry') return `; next attempt in ${format.duration(then.after_s)}`;
  return then?.kind === 'continue' ? '; the run continues' : '';
}

function wordsOfLasers(off = [], unknown = []) {
  const parts = [off.length > 0 && `${off.length === 1 ? 'laser' : 'lasers'} ${off.join(', ')} off`, unknown.length > 0 && `NOT confirmed off: ${unknown.join(', ')}`];
  return parts.filter(Boolean).join('; ');
}

function wordsOfInstruments(safe = [], unknown = []) {
  const parts = [safe.length > 0 && `${safe.join(', ')} safe`, unknown.length > 0 && `NOT confirmed safe: ${unknown.join(', ')}`];
  return parts.filter(Boolean).join('; ');
}

/** The log of the run that is looked at. */
export function createLog() {
  let run = null;
  let lines = [];
  /** The journal of a finished run is read when somebody opens the log. */
  let unread = null;
  let isOpen = false;
  let end = () => {};

  /** Another run, or none, is looked at from now on. */
  function showLogOf(id) {
    end();
    run = id;
    lines = [];
    unread = null;
    showProblem(byId('log-problem'), null);
    draw();
  }

  /** The run was over when the page came to it: its events are only in the journal. */
  function isOver(events) {
    if (lines.length > 0 || unread !== null) return;
    unread = Math.max(0, events - KEPT);
    if (isOpen) read();
  }

  function openLog(open) {
    isOpen = open;
    if (open && unread !== null) read();
    if (open) draw();
  }

  function read() {
    const after = unread;
    unread = null;
    end = hearJournal(run, after, addLine, (words) => showProblem(byId('log-problem'), words));
  }

  function addLine(record) {
    const words = WORDS[record.event]?.(record);
    if (!words) return;
    lines.push({ n: record.n, time: record.time, words: format.signed(words), isBad: BAD.has(record.event) });
    if (lines.length > KEPT) lines.shift();
    soon();
  }

  const soon = throttled(() => isOpen && draw(), 200);

  function draw() {
    const wanted = byId('log-filter').value.toLowerCase();
    const onlyBad = byId('log-problems').checked;
    const shown = lines.filter(({ words, isBad }) => (isBad || !onlyBad) && words.toLowerCase().includes(wanted));
    const list = byId('log');
    // Whoever reads further up is not pulled down.
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
    keyed(list, shown, ({ n, words }) => `${run} ${n} ${words}`, lineOf, () => {});
    setText(byId('log-count'), format.count(shown.length, 'line'));
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  function lineOf({ time, words, isBad }) {
    const at = format.moment(time);
    return el('li', { class: isBad && 'bad' }, el('time', { datetime: time, title: at, text: at.slice(11) }), el('span', { text: words }));
  }

  byId('log-filter').addEventListener('input', draw);
  byId('log-problems').addEventListener('change', draw);
  return { addLine, isOver, openLog, showLogOf };
}
