// @ts-check
// What has been measured: the newest runs first, page by page.

import { queryOf, request } from './net.js';
import { byId, el, keyed, perform, setAttribute, setText } from './dom.js';
import { drawVerdict, wordsOfVerdicts } from './verdict.js';
import * as format from './format.js';

const PAGE = 20;

function create() {
  const parts = { name: el('b'), state: el('span', { class: 'tag' }), verdict: el('span', { class: 'tag' }), when: el('span'), what: el('span'), reason: el('span', { class: 'row-reason' }) };
  const link = el('a', {}, el('span', { class: 'row-head' }, parts.name, el('span', { class: 'row-tags' }, parts.verdict, parts.state)), el('span', { class: 'row-facts dim' }, parts.when, parts.what), parts.reason);
  const item = el('li', {}, link);
  item.parts = { ...parts, link };
  return item;
}

/** The list of runs. */
export function createRuns() {
  let known = [];
  let next = null;
  let selected = null;
  /** A run under way that the list did not have yet is looked for once. */
  let missed = null;

  /** Asks for the newest runs; the older ones that were already shown stay. */
  function refreshRuns() {
    return perform(byId('runs-refresh'), byId('runs-problem'), async () => {
      const page = await request(`/runs?limit=${PAGE}`);
      const fresh = new Set(page.runs.map(({ folder }) => folder));
      const joined = known.some(({ folder }) => fresh.has(folder));
      // Without an overlap something is missing in between: begin anew.
      known = joined ? [...page.runs, ...known.filter(({ folder }) => !fresh.has(folder))] : page.runs;
      if (!joined) next = page.next;
      draw();
    });
  }

  function older() {
    return perform(byId('runs-older'), byId('runs-problem'), async () => {
      const page = await request(`/runs?${queryOf({ limit: PAGE, before: next })}`);
      const shown = new Set(known.map(({ folder }) => folder));
      known = [...known, ...page.runs.filter(({ folder }) => !shown.has(folder))];
      next = page.next;
      draw();
    });
  }

  /** Marks the run that is being looked at. */
  function selectRun(id) {
    selected = id;
    draw();
  }

  /** The run under way changes while it is in the list. */
  function noteRun({ run, state, traces, started, verdict = null, verdicts = null }) {
    const listed = known.find((one) => one.run === run);
    if (!listed && started && state === 'running' && missed !== run) {
      missed = run;
      refreshRuns();
    }
    if (!listed || (listed.status === state && listed.traces === traces && listed.verdict === verdict)) return;
    Object.assign(listed, { status: state, traces, verdict, verdicts });
    draw();
  }

  function draw() {
    keyed(byId('runs-list'), known, ({ folder }) => folder, create, update);
    byId('runs-older').hidden = next === null;
    byId('runs-none').hidden = known.length > 0;
  }

  function update(item, run) {
    const { name, state, verdict, when, what, reason, link } = item.parts;
    setAttribute(link, 'href', `#run=${encodeURIComponent(run.run)}`);
    setAttribute(link, 'aria-current', run.run === selected && 'true');
    setText(name, run.name ?? run.folder);
    setText(state, run.status);
    state.dataset.state = run.status;
    drawVerdict(verdict, run.verdict);
    setText(when, format.moment(run.started));
    setAttribute(verdict, 'title', wordsOfVerdicts(run.verdicts));
    const facts = [typeof run.traces === 'number' && format.count(run.traces, 'trace'), run.simulated && 'SIMULATED'];
    setText(what, facts.filter(Boolean).join(' \u00b7 '));
    setText(reason, run.reason ?? '');
  }

  byId('runs-refresh').addEventListener('click', refreshRuns);
  byId('runs-older').addEventListener('click', older);
  refreshRuns();
  return { noteRun, refreshRuns, selectRun };
}
