// @ts-check
// Puts the page together: which run is under way, which one is looked at, and who hears of what.

import { byId } from './dom.js';
import { follow, isOver } from './follow.js';
import { watchInstrument } from './header.js';
import { startLive } from './live.js';
import { createLog } from './log.js';
import { createFigures } from './figures.js';
import { createQuestion } from './question.js';
import { createQueue } from './queue.js';
import { shareOf, wordsOfState } from './progress.js';
import { createRun } from './run.js';
import { createRuns } from './runs.js';
import { askSession } from './session.js';
import { createSpectrum } from './spectrum.js';
import { createStart } from './start.js';
import { createTabs } from './tabs.js';
import { createTraces } from './traces.js';
import { drawUploads } from './uploads.js';
import { createWafer } from './wafer.js';
import { Activity } from './activity.js';
import { percent } from './format.js';

/** The run under way: its identifier, its status, and its stream of events. */
const current = { id: null, status: null, following: null, since: 0 };
/** The run that is looked at: mostly the one under way. */
const looked = { id: null, following: null };
let instrument = null;
/** The run that began last, as the server knows it; `undefined` before its first answer. */
let lastRun;

const { readOnly } = await askSession();
const activity = new Activity();
const { nameRun, overlay, overlayMarks } = createSpectrum();
const { refreshFigures, showFiguresOf } = createFigures(overlayMarks);
const showPicture = createTabs('pictures-tabs', (tab) => (byId('pictures').dataset.view = tab === 'pictures-wafer' ? 'wafer' : 'spectrum'), false);
const { refreshWafer, showWaferOf } = createWafer(showMap);
const { addLine, isOver: logIsOver, openLog, showLogOf } = createLog();
createTabs('details-tabs', (tab) => openLog(tab === 'tab-log'));
const { drawQuestion } = createQuestion();
const { addTrace, fetchTraces, knownTraces, removeTrace, showTracesOf } = createTraces((run, wanted) => {
  overlay(run, wanted);
  showFiguresOf(run, wanted);
});
const { clearRun, drawOther, drawRun, showRunFailure, showRunLink } = createRun(takeSteered);
const { noteQueue, refreshQueue } = createQueue((queue) => drawStartQueue(queue));
const { lastRecipe, newestRun, noteRun, refreshRuns, selectRun } = createRuns();
const { drawStart, drawStartQueue } = createStart(takeStarted, refreshQueue, lastRecipe);
const { nameDetectors } = startLive(activity);

/** Where there is a wafer map, it stands beside the spectrum, or behind a tab where there is little space. */
function showMap(isShown) {
  byId('pictures').classList.toggle('with-map', isShown);
  byId('pictures-tabs').hidden = !isShown;
  if (!isShown) showPicture('pictures-spectrum');
}

function takeInstrument(next, askedAt) {
  instrument = next;
  // An answer from before a run was started here knows nothing of it.
  if (next.run !== current.id && askedAt > current.since) setCurrent(next.run);
  if (next.last_run !== lastRun) takeLast(next.last_run);
  drawStart(current.id);
  noteQueue(next.queue);
  drawUploads(next.store);
  drawTitle();
}

/** Another run has begun. It may have ended since the instrument was asked before. */
function takeLast(id) {
  const isFirst = lastRun === undefined;
  lastRun = id;
  if (isFirst || id === null || current.id !== null) return;
  if (chosenRun() === null) look(id);
  refreshRuns();
}

/** Another run is under way, or none any more. */
function setCurrent(id) {
  if (id === current.id) return;
  const before = current.id;
  current.following?.close();
  Object.assign(current, { id, status: null, following: null, since: performance.now() });
  drawQuestion(null);
  activity.note(null);
  // How the run before ended is still to be shown.
  if (before !== null && before === looked.id) looked.following = follow(before, { attend: false }, hearing(before));
  if (id !== null) {
    // Without a choice in the address the page shows what goes on.
    if (chosenRun() === null) look(id);
    current.following = follow(id, { attend: !readOnly }, hearing(id));
  }
  drawOthers();
  refreshRuns();
}

function hearing(id) {
  return {
    status: (status) => takeStatus(id, status),
    record: (record) => takeRecord(id, record),
    link: (words) => looked.id === id && showRunLink(words),
    failed: (error) => looked.id === id && showRunFailure(id, error),
  };
}

function takeStatus(id, status) {
  noteRun(status);
  if (id === current.id) {
    current.status = status;
    activity.note(isOver(status) ? null : status.current);
    drawQuestion(isOver(status) ? null : status, (next) => current.following?.take(next));
    drawTitle();
  }
  if (id !== looked.id) return;
  drawRun(status);
  byId('spectrum-run').textContent = `${status.name} \u00b7 ${status.run}${status.simulated ? ' \u00b7 SIMULATED' : ''}`;
  nameRun(status.name);
  nameDetectors(status.detectors ?? {});
  if (isOver(status)) logIsOver(status.events ?? 0);
  // A trace whose event was missed, for example while the server was away.
  if (status.traces > knownTraces() && (isOver(status) || status.current === null)) fetchTracesSoon();
}

let fetchedFor = '';

/** Once for each count of traces: a trace that is gone from the disk must not be asked for again and again. */
function fetchTracesSoon() {
  const wanted = `${looked.id} ${knownTraces()}`;
  if (wanted === fetchedFor) return;
  fetchedFor = wanted;
  fetchTraces();
}

function takeRecord(id, record) {
  if (id === looked.id) {
    addLine(record);
    if (record.event === 'trace_stored') addTrace(id, record.trace);
    if (record.event === 'trace_withdrawn') removeTrace(id, record.trace_index);
    if (changesFigures(record)) {
      refreshFigures();
      refreshWafer();
    }
  }
  if (record.event === 'finished') {
    refreshRuns();
    askInstrument();
  }
}

/** Whether an event adds figures, or takes some back. */
function changesFigures({ event, outcome }) {
  return event === 'trace_withdrawn' || (event === 'step_finished' && outcome?.kind === 'analysis');
}

/** Looks at a run, or at none. */
function look(id) {
  if (id === looked.id) return;
  looked.following?.close();
  Object.assign(looked, { id, following: null });
  clearRun(id);
  showLogOf(id);
  selectRun(id);
  byId('spectrum-run').textContent = '';
  showTracesOf(id);
  showWaferOf(id);
  drawOthers();
  if (id === null) return;
  if (id === current.id) {
    if (current.status) takeStatus(id, current.status);
  } else {
    looked.following = follow(id, { attend: false }, hearing(id));
  }
}

function drawOthers() {
  const other = current.id !== null && looked.id !== current.id ? current.id : null;
  drawOther(other, () => choose(current.id));
}

function chosenRun() {
  const match = /^#run=(.+)$/.exec(location.hash);
  return match ? decodeURIComponent(match[1]) : null;
}

/** Keeps the choice in the address, so that it survives a reload. */
function choose(id) {
  location.hash = `run=${encodeURIComponent(id)}`;
}

/** A button has changed the run. */
function takeSteered(status) {
  (status.run === current.id ? current : looked).following?.take(status);
}

function takeStarted(status) {
  choose(status.run);
  setCurrent(status.run);
  look(status.run);
  takeStatus(status.run, status);
  byId('run-title').focus();
  askInstrument();
}

/** What goes on can be read off the browser's tab. */
function drawTitle() {
  const { status } = current;
  const running = status !== null && !isOver(status) ? status : null;
  const share = running && shareOf(running);
  const parts = [
    running?.question && 'QUESTION',
    instrument?.simulated === true && 'SIMULATED',
    running && `${running.name} ${running.pause ? wordsOfState(running) : percent(share)}`.trim(),
    'ctp10',
  ];
  const title = parts.filter(Boolean).join(' \u00b7 ');
  if (document.title !== title) document.title = title;
}

/** A new tab shows the run under way, or else the last one. */
async function lookAtNewest() {
  const newest = await newestRun();
  if (looked.id === null && chosenRun() === null && current.id === null) look(newest);
}

window.addEventListener('hashchange', () => look(chosenRun() ?? current.id ?? looked.id));
look(chosenRun());
lookAtNewest();
const askInstrument = watchInstrument(activity, takeInstrument);
