// @ts-check
// The traces of the run that is looked at, and which of them are overlaid.

import { BackOff, request } from './net.js';
import { byId, el, keyed, setText, showProblem, throttled } from './dom.js';
import { nameOf } from './names.js';
import { CURVES } from './theme.js';
import * as format from './format.js';

// A long run has thousands of traces; a page of them is drawn at a time.
const PAGE = 50;
// A passive device gives back no more than it gets; what lies above this was measured against another reference.
const MOST_TRANSMISSION_DB = 0.5;
const FORMATS = ['parquet', 'csv', 'arrow', 'npy'];

function wordsOf(trace) {
  const { trace_index: index, detector, trace: kind, name, unit, sweep_index: sweep } = trace;
  return `#${index} ${nameOf(trace)} ${detector} ${kind} ${name ?? ''} ${unit} sweep ${sweep}`.toLowerCase();
}

function factsOf(trace) {
  const { detector, trace: kind, start_nm: start, step_pm: step, points, nulls, min, max, unit, sweep_index: sweep, attempt } = trace;
  const stop = start + ((points - 1) * step) / 1000;
  const extreme = (name, point) => point && `${name} ${format.fixed(point.value, 2)} ${unit} at ${format.fixed(point.nm, 3)} nm`;
  const facts = [
    `${detector} ${kind}, sweep ${sweep}`,
    attempt > 1 && `measured again, attempt ${attempt}`,
    `${format.fixed(start, 3)} to ${format.fixed(stop, 3)} nm`,
    `${format.count(points, 'point')}, ${Number(step.toPrecision(4))} pm`,
    extreme('lowest', min),
    extreme('highest', max),
    nulls > 0 && `${format.count(nulls, 'point')} not finite`,
  ];
  const isGain = kind === 'tf' && max?.value > MOST_TRANSMISSION_DB;
  const gain = isGain && el('span', { class: 'bad', text: `transmission above +${MOST_TRANSMISSION_DB} dB: check the reference` });
  return [...facts.filter(Boolean).map((text) => el('span', { text })), gain].filter(Boolean);
}

/**
 * The newest transmission of each detector, or its newest trace where there are no transmissions; the newest comes first
 * in `order`. One by one they take the place of those of the sweep before.
 */
export function newestOf(order) {
  const transmissions = order.filter(({ trace }) => trace === 'tf');
  const newest = new Map();
  for (const trace of transmissions.length > 0 ? transmissions : order) {
    const source = `${trace.detector} ${trace.trace}`;
    if (!newest.has(source)) newest.set(source, trace);
  }
  const sorted = [...newest].sort(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }));
  return sorted.slice(0, CURVES).map(([, trace]) => trace);
}

/** The list of traces. `onOverlay(run, [{ trace, slot }])` hears what is to be drawn. */
export function createTraces(onOverlay) {
  const backOff = new BackOff();
  let retry = 0;
  let run = null;
  let traces = new Map();
  let order = [];
  /** Trace index to the slot of its colour: a curve keeps its colour whatever else comes and goes. */
  let overlaid = new Map();
  let shownRows = PAGE;

  /** Another run, or none, is looked at from now on. */
  async function showTracesOf(id) {
    clearTimeout(retry);
    backOff.reset();
    run = id;
    traces = new Map();
    order = [];
    overlaid = new Map();
    shownRows = PAGE;
    byId('traces-follow').checked = true;
    byId('traces-filter').value = '';
    showProblem(byId('traces-problem'), null);
    draw();
    onOverlay(run, []);
    if (id !== null) await fetchTraces();
  }

  /** Asks for the whole list: at first, and when the list and the run's count of traces part. */
  async function fetchTraces() {
    const asked = run;
    clearTimeout(retry);
    try {
      for (let after = 0; after !== null; ) {
        const path = `runs/${encodeURIComponent(asked)}/traces?after=${after}`;
        const page = await request(path, { timeoutMs: 30_000 });
        if (asked !== run) return;
        for (const trace of page.traces) traces.set(trace.trace_index, trace);
        after = page.next;
      }
      showProblem(byId('traces-problem'), null);
      backOff.reset();
      changed();
    } catch (error) {
      if (asked !== run) return;
      showProblem(byId('traces-problem'), `The list of traces: ${error.message}`);
      if (error.status !== 404) retry = setTimeout(fetchTraces, backOff.next());
    }
  }

  /** A trace was stored just now. */
  function addTrace(id, trace) {
    if (id !== run || traces.has(trace.trace_index)) return;
    traces.set(trace.trace_index, trace);
    changed();
  }

  /** A trace was taken back: its sweep is done again. */
  function removeTrace(id, index) {
    if (id !== run || !traces.delete(index)) return;
    if (overlaid.delete(index)) tellOverlay();
    changed();
  }

  const knownTraces = () => traces.size;

  const changed = throttled(() => {
    order = [...traces.values()].sort((a, b) => b.trace_index - a.trace_index);
    if (byId('traces-follow').checked) followNewest();
    draw();
  }, 200);

  function followNewest() {
    const wanted = newestOf(order);
    /** @type {[number, number][]} */
    const slots = wanted.map(({ trace_index: index }, slot) => [index, slot]);
    if (slots.length === overlaid.size && slots.every(([index, slot]) => overlaid.get(index) === slot)) return;
    overlaid = new Map(slots);
    tellOverlay();
  }

  function tellOverlay() {
    onOverlay(run, [...overlaid].map(([index, slot]) => ({ trace: traces.get(index), slot })));
  }

  function toggle(index, wanted) {
    byId('traces-follow').checked = false;
    showProblem(byId('traces-problem'), null);
    if (!wanted) overlaid.delete(index);
    else if (overlaid.size < CURVES) overlaid.set(index, freeSlot());
    else showProblem(byId('traces-problem'), `${CURVES} traces can be shown at most: remove one first.`);
    tellOverlay();
    draw();
  }

  function freeSlot() {
    const taken = new Set(overlaid.values());
    return [...Array(CURVES).keys()].find((slot) => !taken.has(slot));
  }

  function draw() {
    const wanted = byId('traces-filter').value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = order.filter((trace) => wanted.every((word) => wordsOf(trace).includes(word)));
    keyed(byId('traces'), found.slice(0, shownRows), ({ trace_index: index }) => `${run}/${index}`, create, update);
    byId('traces-more').hidden = found.length <= shownRows;
    setText(byId('traces-total'), traces.size > 0 ? String(traces.size) : '');
    setText(byId('traces-count'), found.length === traces.size ? format.count(traces.size, 'trace') : `${found.length} of ${format.count(traces.size, 'trace')}`);
  }

  function create(trace) {
    const { trace_index: index } = trace;
    const box = el('input', { type: 'checkbox' });
    box.addEventListener('change', () => toggle(index, box.checked));
    const swatch = el('i', { class: 'swatch' });
    const name = el('span', { class: 'trace-name' }, el('b', { text: nameOf(trace) }), el('span', { class: 'dim', text: ` #${index}` }));
    const label = el('label', { class: 'trace-label' }, box, swatch, name);
    const item = el('li', { class: 'trace' }, label, el('span', { class: 'trace-facts dim' }, ...factsOf(trace)), el('span', { class: 'downloads' }, ...downloads(trace)));
    item.parts = { box, swatch };
    return item;
  }

  function downloads(trace) {
    const path = `runs/${encodeURIComponent(run)}/traces/${trace.trace_index}`;
    return FORMATS.map((suffix) =>
      el('a', { href: `${path}.${suffix}`, download: true, 'aria-label': `Trace ${trace.trace_index}, ${nameOf(trace)}, as .${suffix}`, text: `.${suffix}` }),
    );
  }

  function update(item, { trace_index: index }) {
    const { box, swatch } = item.parts;
    const slot = overlaid.get(index);
    box.checked = slot !== undefined;
    swatch.className = slot === undefined ? 'swatch none' : `swatch curve-${slot + 1}`;
  }

  byId('traces-follow').addEventListener('change', () => {
    if (!byId('traces-follow').checked) return;
    followNewest();
    draw();
  });
  byId('traces-filter').addEventListener('input', () => {
    shownRows = PAGE;
    draw();
  });
  byId('traces-more').addEventListener('click', () => {
    shownRows += PAGE;
    draw();
  });
  return { addTrace, fetchTraces, knownTraces, removeTrace, showTracesOf };
}
