// @ts-check
// The run that is being looked at: state, progress, steps, and the buttons that steer it.

import { post } from './net.js';
import { announce, byId, el, keyed, perform, setText, showProblem } from './dom.js';
import { isOver } from './follow.js';
import { StepTree } from './tree.js';
import { drawVerdict, wordsOfVerdicts } from './verdict.js';
import * as format from './format.js';

/** The state in a word or two; also for the title of the page. */
export function wordsOfState({ state, pause, waiting }) {
  if (state !== 'running') return state;
  if (waiting) return `waits for ${waiting}`;
  return pause === 'held' ? 'paused' : pause === 'asked' ? 'pauses at the next step' : 'running';
}

/**
 * Share done by the times that are shown beside it, where the time left is known, else by steps; null when nothing is
 * known.
 */
export function shareOf({ elapsed_s: elapsed, remaining_s: remaining, operations, finished_steps: steps, current, state }) {
  if (state === 'done') return 1;
  // It is done when it says so: estimates can be short.
  const under = (share) => Math.min(0.99, Math.max(0, share));
  if (typeof remaining === 'number' && elapsed + remaining > 0) return under(elapsed / (elapsed + remaining));
  return operations > 0 ? under((steps + (current?.done ?? 0)) / operations) : null;
}

function fact({ text, href }) {
  return href === null ? el('span', { text }) : el('a', { href, target: '_blank', rel: 'noopener', text });
}

function wordsOfDoing(current) {
  return current?.activity ? format.activity(current.activity, current.done, current.remaining_s) : '';
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
    for (const part of ['run-progress-box', 'run-controls', 'run-reason', 'run-warnings', 'tree']) byId(part).hidden = true;
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
    byId('tree').hidden = false;
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
      `run ${status.run}`,
      `began ${format.moment(status.started)}`,
      format.count(status.traces, 'trace'),
      wordsOfVerdicts(status.verdicts),
      status.simulated && 'SIMULATED',
      status.failed_steps > 0 && `${format.count(status.failed_steps, 'step')} failed and ignored`,
      status.retries > 0 && format.count(status.retries, 'retry', 'retries'),
      ...(status.highlights ?? []).map(({ name, text }) => `${name} ${format.signed(text)}`),
      `in ${status.folder}`,
    ];
    const facts = parts.filter(Boolean).map((text) => ({ text, href: null }));
    if (isOver(status)) facts.push({ text: 'Report', href: `/runs/${encodeURIComponent(status.run)}/report` });
    keyed(byId('run-facts'), facts, ({ text, href }) => href ?? text, fact, () => {});
  }

  function drawProgress() {
    byId('run-progress-box').hidden = isOver(status);
    if (isOver(status)) return;
    const bar = byId('run-progress');
    const share = shareOf(status);
    if (share === null) bar.removeAttribute('value');
    else bar.value = share;
    const steps = status.operations === null ? `${status.finished_steps} steps` : `${status.finished_steps} of ${format.count(status.operations, 'step')}`;
    setText(byId('run-progress-text'), [share === null ? '' : format.percent(share), steps].filter(Boolean).join(', '));
    drawTimes();
    const { current } = status;
    const attempt = current?.attempt > 1 ? ` (attempt ${current.attempt})` : '';
    setText(byId('run-current'), current ? `${current.text}${attempt}` : '');
    setText(byId('run-doing'), status.question ? 'waits for an answer' : wordsOfDoing(current));
  }

  function drawTimes() {
    if (status === null || isOver(status)) return;
    const since_s = (performance.now() - takenAt) / 1000;
    const unknown = status.question || status.remaining_s === null || status.remaining_s === undefined;
    const left = unknown ? '' : `about ${format.duration(status.remaining_s)} left`;
    setText(byId('run-times'), [format.duration(Math.floor(status.elapsed_s + since_s)), left].filter(Boolean).join(', '));
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
    const list = byId('run-warnings');
    const warnings = status.warnings ?? [];
    list.hidden = warnings.length === 0;
    keyed(list, warnings, (text) => text, (text) => el('li', { text }), () => {});
  }

  function steer(button, what) {
    const run = encodeURIComponent(status.run);
    return perform(button, byId('run-problem'), async () => steered(await post(`/runs/${run}/${what}`)));
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
  setInterval(drawTimes, 1000);
  return { clearRun, drawOther, drawRun, showRunFailure, showRunLink };
}
