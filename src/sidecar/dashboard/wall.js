// @ts-check
// The wall: spectrum, power, state and verdict of the run under way, or of the last one. Nothing here changes anything,
// and all requests are those that a token for reading may send.

import { BackOff, keepOpen, openSocket, queryOf, request, wordsOfLink } from './net.js';
import { byId, el, keyed, setAttribute, setText, showProblem } from './dom.js';
import { follow } from './follow.js';
import { nameOf } from './names.js';
import { curveOf, layoutOf, loadPlotly } from './plot.js';
import { shareOf, wordsOfProgress, wordsOfState, wordsOfStep } from './progress.js';
import { recall } from './kept.js';
import { colour, onThemeChange } from './theme.js';
import { newestOf } from './traces.js';
import { drawVerdict } from './verdict.js';
import { Views } from './views.js';
import * as format from './format.js';

const PAUSE_MS = 2_000;
const CHANNELS = [1, 2, 3, 4];
const PLAIN = { linear: false, frequency: false };
const MODULE = Number(new URLSearchParams(location.search).get('module')) || recall('live').module || 4;

const views = new Views();
let run = null;
let following = null;
let traces = new Map();
let curves = [];
let names = {};

/** Looks again and again for the run under way, or the last one. */
async function watch() {
  const backOff = new BackOff();
  for (;;) {
    let pause = PAUSE_MS;
    try {
      const instrument = await request('instrument', { timeoutMs: 5_000 });
      drawInstrument(instrument);
      const wanted = instrument.run ?? instrument.last_run ?? (run === null ? ((await request('runs?limit=1')).runs[0]?.run ?? null) : run);
      if (wanted !== run) take(wanted);
      backOff.reset();
    } catch (error) {
      showProblem(byId('notice'), error.message);
      pause = backOff.next();
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function drawInstrument({ simulated, connected, reason }) {
  document.body.classList.toggle('simulated', simulated === true);
  byId('kind').hidden = simulated !== true;
  setText(byId('kind'), 'SIMULATED');
  showProblem(byId('notice'), connected ? null : `The instrument is away${reason ? `: ${reason}` : ''}`);
  if (run === null) setText(byId('name'), 'No run yet');
}

/** Another run from now on. The spectrum of the one before stays, in grey. */
function take(id) {
  following?.close();
  run = id;
  traces = new Map();
  setAttribute(byId('plot'), 'data-stale', curves.length > 0 && 'true');
  following = follow(id, { attend: false }, {
    status: drawStatus,
    record: (record) => {
      if (record.event === 'trace_stored') addTrace(record.trace);
    },
    link: (words) => words && showProblem(byId('notice'), words),
    failed: (error) => showProblem(byId('notice'), error.message),
  });
  fetchTraces();
}

function drawStatus(status) {
  setText(byId('name'), status.name);
  const state = byId('state');
  setText(state, status.question ? 'QUESTION' : wordsOfState(status));
  state.dataset.state = status.question ? 'asked' : (status.pause ?? status.state);
  drawVerdict(byId('verdict'), status.verdict);
  setText(byId('step'), status.question ? status.question.message : (status.reason ?? wordsOfStep(status.current)));
  const bar = byId('progress');
  bar.hidden = status.state !== 'running';
  const share = shareOf(status);
  if (share === null) bar.removeAttribute('value');
  else bar.value = share;
  const isKnown = typeof status.remaining_s === 'number' && status.state === 'running';
  setText(byId('progress-text'), [wordsOfProgress(status), isKnown && `about ${format.duration(status.remaining_s)} left`].filter(Boolean).join(', '));
  names = status.detectors ?? {};
  document.title = `${status.name} \u00b7 ${wordsOfState(status)} \u00b7 ctp10`;
  if (status.traces > traces.size) fetchTraces();
}

async function fetchTraces() {
  const asked = run;
  try {
    for (let after = traces.size > 0 ? Math.max(...traces.keys()) : 0; after !== null; ) {
      const page = await request(`runs/${encodeURIComponent(asked)}/traces?${queryOf({ after })}`);
      if (asked !== run) return;
      for (const trace of page.traces) traces.set(trace.trace_index, trace);
      after = page.next;
    }
    await draw();
  } catch (error) {
    if (asked === run) showProblem(byId('notice'), error.message);
  }
}

function addTrace(trace) {
  traces.set(trace.trace_index, trace);
  draw();
}

/** The newest traces, once all of them have arrived. */
async function draw() {
  const asked = run;
  const wanted = newestOf([...traces.values()].sort((a, b) => b.trace_index - a.trace_index));
  if (wanted.length === 0) return;
  const place = byId('plot');
  const points = Math.max(200, Math.min(2000, place.clientWidth));
  const next = await Promise.all(wanted.map(async (trace, slot) => ({ trace, slot, view: await views.fetch(asked, trace, wholeOf(trace), points) })));
  if (asked !== run) return;
  curves = next;
  setAttribute(place, 'data-stale', false);
  keyed(byId('curves'), curves, ({ trace, slot }) => `${slot} ${nameOf(trace)}`, ({ trace, slot }) => el('li', {}, el('i', { class: `curve-${slot + 1}` }), nameOf(trace)), () => {});
  await drawPlot();
}

const wholeOf = ({ start_nm: from, step_pm: step, points }) => ({ from, to: from + ((points - 1) * step) / 1000 });

async function drawPlot() {
  if (curves.length === 0) return;
  const Plotly = await loadPlotly();
  const place = byId('plot');
  const units = new Set(curves.map(({ trace }) => (trace.unit === 'dB' ? 'dB' : 'dBm')));
  const windows = curves.map(({ trace }) => wholeOf(trace));
  const window = { from: Math.min(...windows.map(({ from }) => from)), to: Math.max(...windows.map(({ to }) => to)) };
  const layout = layoutOf({ window, scale: PLAIN, units, narrow: false, width: place.clientWidth, height: place.clientHeight });
  const size = Math.max(14, Math.min(innerWidth, innerHeight) * 0.026);
  const font = { ...layout.font, size };
  const tickfont = { color: colour('ink'), size };
  const axes = Object.fromEntries(['xaxis', 'yaxis', 'yaxis2'].filter((axis) => layout[axis]).map((axis) => [axis, { ...layout[axis], tickfont, title: { ...layout[axis].title, font: { size } } }]));
  const margin = { l: size * 4.5, r: units.size > 1 ? size * 4.5 : size * 2, t: size / 2, b: size * 3.2 };
  const drawn = curves.map((curve) => curveOf({ ...curve, pinned: false }, units, PLAIN)).map((curve) => ({ ...curve, line: { ...curve.line, width: size / 6 } }));
  await Plotly.react(place, drawn, { ...layout, ...axes, font, margin }, { staticPlot: true, displayModeBar: false });
}

function drawPowers(frame) {
  const list = byId('powers');
  setAttribute(list, 'data-stale', frame.type !== 'data' && 'true');
  keyed(list, CHANNELS, String,
    () => el('li', {}, el('span', { class: 'name' }), el('span', { class: 'value' })),
    (node, channel) => {
      const value = frame[`ch${channel}_power`];
      const address = `${MODULE}/${channel}`;
      const isDark = format.isDark(value, frame.unit);
      const [name, shown] = node.children;
      setText(name, names[address] ?? address);
      setAttribute(shown, 'data-dark', isDark && 'true');
      const isKnown = value !== null && value !== undefined;
      shown.replaceChildren(isDark ? 'dark' : format.power(value, frame.unit), isKnown && !isDark ? el('small', { text: ` ${frame.unit}` }) : '');
    });
}

let frame = {};
keepOpen(
  openSocket(`ws/power?module=${MODULE}&interval=0.5`, (next) => {
    if (next.type === 'heartbeat') return;
    frame = next.type === 'error' ? { ...frame, ...next } : next;
    drawPowers(frame);
  }),
  (link) => {
    if (link.state === 'waiting') showProblem(byId('notice'), wordsOfLink(link));
    drawPowers({ ...frame, type: 'error' });
  },
);
onThemeChange(drawPlot);
new ResizeObserver(() => drawPlot()).observe(byId('plot'));
watch();
