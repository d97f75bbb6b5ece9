// @ts-check
// The figures of the traces that are drawn: a table, and the marks over the curves.

import { BackOff, queryOf, request } from './net.js';
import { byId, el, setText, showProblem, throttled } from './dom.js';
import { linesOf } from './fits.js';
import { nameOf } from './names.js';
import { drawVerdict } from './verdict.js';
import * as format from './format.js';

// The most that the program sends at once: all figures, so that the worst verdicts are among them.
const MOST = 10_000;
const MOST_ROWS = 300;
// During a run an analysis may end every second.
const PAUSE_MS = 2000;

/** Figures with limits first, the worst verdict before the others. */
export function inOrder(figures) {
  const badness = ({ verdict }) => ['pass', 'marginal', 'not measured', 'fail'].indexOf(verdict ?? '');
  return [...figures].sort((a, b) => badness(b) - badness(a));
}

/** The figures of a trace that have a row, and how many have none. */
export function shownOf(figures) {
  return { shown: inOrder(figures).slice(0, MOST_ROWS), more: Math.max(0, figures.length - MOST_ROWS) };
}

/** Why a figure has no value, or what is remarkable about it. */
export function remarkOf({ text, reason, verdict, not_measured: missing, notes }) {
  const why = verdict === 'not measured' ? (reason ?? missing) : missing;
  return [why, ...(notes ?? [])].filter(Boolean).join('; ') || (text ? '' : 'no value');
}

/** What makes the figures of a trace doubtful. All figures of an analysis have the same warnings. */
export function warningsOf(figures) {
  return [...new Set(figures.flatMap(({ warnings }) => warnings ?? []))];
}

function rowOf(line) {
  const { figure, of, nm, text, limits, limit, verdict, window } = line;
  const tag = el('span', { class: 'tag' });
  drawVerdict(tag, verdict);
  const guard = limit?.guard ? ` (guard ${limit.guard})` : '';
  const range = window ? `${format.fixed(window.from_nm, 3)} to ${format.fixed(window.to_nm, 3)} nm` : '';
  return el('tr', {},
    el('td', {}, el('code', { text: figure }), of && el('span', { class: 'dim', text: ` ${of}` })),
    el('td', { class: 'value', text: text ? format.signed(text) : format.NONE }),
    el('td', { class: 'limits', text: limits ? `${limits}${guard}` : '' }),
    el('td', { class: 'judged' }, tag, ' ', el('span', { class: 'dim', text: remarkOf(line) })),
    el('td', { class: 'value dim', text: typeof nm === 'number' ? `${format.fixed(nm, 4)} nm` : '' }),
    el('td', { class: 'value dim', text: range }),
  );
}

/** The table of figures. `onMarks(run, marks)` hears the marks by the number of the trace. */
export function createFigures(onMarks) {
  const backOff = new BackOff();
  let run = null;
  let drawn = [];
  /** What the program said of each trace: `{ figures, marks }`. */
  let known = new Map();
  let retry = 0;

  /** Other traces are drawn. */
  function showFiguresOf(ofRun, wanted) {
    if (ofRun !== run) known = new Map();
    run = ofRun;
    drawn = wanted.map(({ trace, slot }) => ({ trace, slot }));
    draw();
    fetchMissing();
  }

  /** An analysis has ended, or a trace was withdrawn: what is known is out of date. */
  const refreshFigures = throttled(() => {
    known = new Map([...known].map(([index, entry]) => [index, { ...entry, old: true }]));
    fetchMissing();
  }, PAUSE_MS);

  async function fetchMissing() {
    clearTimeout(retry);
    const asked = run;
    const wanted = drawn.map(({ trace }) => trace.trace_index).filter((index) => known.get(index)?.old !== false);
    if (asked === null || wanted.length === 0) return;
    try {
      for (const trace of wanted) {
        const { figures, marks } = await request(`runs/${encodeURIComponent(asked)}/figures?${queryOf({ trace, limit: MOST })}`, { timeoutMs: 30_000 });
        if (asked !== run) return;
        known.set(trace, { figures, marks: [...marks, ...linesOf(figures)], old: false });
      }
      showProblem(byId('figures-problem'), null);
      backOff.reset();
      draw();
    } catch (error) {
      if (asked !== run || error.status === 404) return;
      showProblem(byId('figures-problem'), `The figures: ${error.message}`);
      retry = setTimeout(fetchMissing, backOff.next());
    }
  }

  function draw() {
    const parts = drawn.map(({ trace, slot }) => ({ trace, slot, ...known.get(trace.trace_index) }));
    const withFigures = parts.filter(({ figures }) => (figures?.length ?? 0) > 0);
    byId('figures').hidden = withFigures.length === 0;
    byId('figures-none').hidden = withFigures.length > 0;
    const bodies = withFigures.map(({ trace, slot, figures }) => {
      const name = el('span', {}, el('i', { class: `swatch curve-${slot + 1}` }), ` ${nameOf(trace)}`);
      const turns = !trace.turns && figures.find((line) => line.turns)?.turns;
      const head = el('tr', { class: 'of-trace' }, el('th', { colspan: 6, scope: 'rowgroup' }, name, turns && el('span', { class: 'dim', text: ` ${turns}` })));
      const warnings = warningsOf(figures).map((text) => el('tr', {}, el('td', { colspan: 6, class: 'warning', text: `Warning: ${text}` })));
      const { shown, more } = shownOf(figures);
      const rest = more > 0 && el('tr', {}, el('td', { colspan: 6, class: 'dim', text: `${format.count(more, 'more figure')}: results.parquet has all when the run has ended` }));
      return el('tbody', {}, head, ...warnings, ...shown.map(rowOf), rest);
    });
    const table = byId('figures');
    for (const body of [...table.tBodies]) body.remove();
    table.append(...bodies);
    const count = withFigures.reduce((sum, { figures }) => sum + figures.length, 0);
    setText(byId('figures-count'), count > 0 ? String(count) : '');
    onMarks(run, new Map(parts.filter(({ marks }) => marks).map(({ trace, marks }) => [trace.trace_index, marks])));
  }

  return { refreshFigures, showFiguresOf };
}
