// @ts-check
// The run that is being looked at: state, progress, steps, and the buttons that steer it.

import { post } from './net.js';
import { announce, byId, el, keyed, perform, setText, showProblem } from './dom.js';
import { isOver } from './follow.js';
import { shareOf, wordsOfProgress, wordsOfState, wordsOfStep } from './progress.js';
import { StepTree } from './tree.js';
import { drawVerdict, wordsOfVerdicts } from './verdict.js';
import * as format from './format.js';

/** When a run began, and how long it took. */
function wordsOfTime({ started, elapsed_s: elapsed }) {
  return `${format.soon(started)}, took ${format.duration(elapsed)}`;
}

function fact({ text, href, file }) {
  if (href === null) return el('span', { text });
  return el('a', file ? { href, download: true, text } : { href, target: '_blank', rel: 'noopener', text });
}

/** The run that is looked at. `steered(status)` hears the status that a button brought about. */
export function createRun(steered) {
  const tree = new StepTree(byId('tree'));
  let status = null;
  let takenAt = 0;
  let announced = '';

  /** Another run, or none, is looked at from now on. */
  function clearRun(id) {
    status = null;
    announced = '';
    tree.clear();
    byId('run').hidden = id === null;
    setText(byId('run-title'), `Run ${id}`);
    for (const part of ['run-progress', 'run-controls', 'run-reason', 'run-warnings-box']) byId(part).hidden = true;
    byId('details').hidden = id === null;
    for (const part of ['run-current', 'run-progress-text', 'run-folder']) setText(byId(part), '');
    keyed(byId('run-facts'), [], String, null, null);
    setText(byId('run-state'), '');
    drawVerdict(byId('run-verdict'), null);
    showProblem(byId('run-problem'), null);
    showRunLink('');
  }

  function showRunLink(words) {
    const note = byId('run-link');
    note.hidden = words === '';
    setText(note, words && `Not up to date: ${words}`);
  }

  function showRunFailure(id, error) {
    clearRun(id);
    showProblem(byId('run-problem'), error.message);
  }

  /** Says that another run is under way than the one looked at. */
  function drawOther(run, show) {
    const note = byId('run-other');
    note.hidden = run === null;
    if (run === null || note.dataset.run === run) return;
    note.dataset.run = run;
    note.replaceChildren(`Run ${run} is active. `, el('button', { type: 'button', class: 'plain', onclick: show, text: 'Show it' }));
  }

  function drawRun(next) {
    status = next;
    takenAt = performance.now();
    byId('run').hidden = false;
    setText(byId('run-title'), status.name || `Run ${status.run}`);
    const state = byId('run-state');
    const words = wordsOfState(status);
    setText(state, words);
    state.dataset.state = status.pause ?? status.state;
    if (words !== announced) announce(`Run ${status.name}: ${words}`);
    announced = words;

    drawVerdict(byId('run-verdict'), status.verdict);
    drawFacts();
    drawProgress();
    drawControls();
    drawReason();
    drawWarnings();
    tree.draw(status.tree ?? [], status.current?.key ?? null);
  }

  function drawFacts() {
    const parts = [
      wordsOfVerdicts(status.verdicts),
      status.simulated && 'SIMULATED',
      format.count(status.traces, 'trace'),
      isOver(status) ? wordsOfTime(status) : `began ${format.soon(status.started)}`,
      status.failed_steps > 0 && `${format.count(status.failed_steps, 'step')} failed and ignored`,
      status.retries > 0 && format.count(status.retries, 'retry', 'retries'),
      `run ${status.run}`,
    ];
    /** @type {{ text: string, href: string | null, file?: boolean }[]} */
    const facts = parts.filter(Boolean).map((text) => ({ text: String(text), href: null }));
    const path = `runs/${encodeURIComponent(status.run)}`;
    if (isOver(status)) facts.push({ text: 'Report', href: `${path}/report` }, { text: 'All files (zip)', href: `${path}/archive`, file: true });
    setText(byId('run-folder'), `Folder: ${status.folder}`);
    keyed(byId('run-highlights'), (status.highlights ?? []).map(({ name, text }) => `${name} ${format.signed(text)}`), String, (text) => el('span', { text }), () => {});
    keyed(byId('run-facts'), facts, ({ text, href }) => href ?? text, fact, () => {});
  }

  function drawProgress() {
    const bar = byId('run-progress');
    bar.hidden = isOver(status);
    const share = shareOf(status);
    if (share === null) bar.removeAttribute('value');
    else bar.value = share;
    setText(byId('run-current'), isOver(status) ? '' : wordsOfStep(status.current));
    drawTimeLeft();
  }

  function drawTimeLeft() {
    if (status === null) return;
    const left_s = (status.remaining_s ?? 0) - (performance.now() - takenAt) / 1000;
    const isKnown = typeof status.remaining_s === 'number' && !isOver(status) && status.pause !== 'held';
    const left = status.question ? 'waits for an answer' : isKnown && `about ${format.duration(Math.max(0, left_s))} left`;
    setText(byId('run-progress-text'), [wordsOfProgress(status), left].filter(Boolean).join(', '));
  }

  function drawControls() {
    byId('run-controls').hidden = isOver(status);
    // One button for both, so that the focus stays where it is.
    setText(byId('run-pause'), status.pause === null ? 'Pause' : 'Resume');
  }

  function drawReason() {
    const reason = byId('run-reason');
    const unknown = status.lasers_unknown ?? [];
    const lasers = unknown.length > 0 && `Not confirmed off: laser ${unknown.join(', ')}.`;
    const unsafe = status.instruments_unknown ?? [];
    const instruments = unsafe.length > 0 && `Not confirmed safe: ${unsafe.join(', ')}.`;
    const texts = [status.reason, lasers, instruments, ...(status.guard ?? []).map((text) => `Guard: ${text}`)].filter(Boolean);
    reason.hidden = texts.length === 0;
    setText(reason, texts.join('\n'));
  }

  function drawWarnings() {
    const warnings = status.warnings ?? [];
    byId('run-warnings-box').hidden = warnings.length === 0;
    setText(byId('run-warnings-title'), `${format.count(warnings.length, 'warning')}: ${warnings.at(-1) ?? ''}`);
    keyed(byId('run-warnings'), warnings, (text) => text, (text) => el('li', { text }), () => {});
  }

  function steer(button, what) {
    const run = encodeURIComponent(status.run);
    return perform(button, byId('run-problem'), async () => steered(await post(`runs/${run}/${what}`)));
  }

  function askAbort() {
    const dialog = byId('abort-dialog');
    dialog.returnValue = '';
    dialog.showModal();
    dialog.onclose = () => {
      byId('run-abort').focus();
      if (dialog.returnValue === 'abort') steer(byId('run-abort'), 'abort?now=false');
      if (dialog.returnValue === 'now') steer(byId('run-abort'), 'abort?now=true');
    };
  }

  const pause = byId('run-pause');
  pause.addEventListener('click', () => steer(pause, status.pause === null ? 'pause' : 'resume'));
  byId('run-abort').addEventListener('click', askAbort);
  setInterval(drawTimeLeft, 1000);
  return { clearRun, drawOther, drawRun, showRunFailure, showRunLink };
}
