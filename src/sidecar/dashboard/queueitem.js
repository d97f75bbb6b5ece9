// @ts-check
// A row of the queue: an item with its state, what is expected of it, and what can be done about it.

import { announce, el, keyed, setAttribute, setText } from './dom.js';
import * as format from './format.js';

// Items whose details are open: an item that goes to the other list stays open there.
const opened = new Set();

const UNDER_WAY = 'This item is running and cannot be moved or removed. Abort the run to end it.';

/** `act` has `turn(button, item)`, `move(button, item, to)` and `remove(button, item)`. */
export function createItem(act) {
  const node = el('li', { class: 'queue-item' });
  const button = (text, work) => el('button', { type: 'button', text, onclick: ({ currentTarget }) => work(currentTarget) });
  const move = (by) => (pressed) => {
    const reason = pressed.getAttribute('aria-disabled') === 'true' && pressed.title;
    if (reason) announce(reason);
    else act.move(pressed, node.item, node.item.place + by);
  };
  const parts = {
    number: el('span', { class: 'dim' }),
    name: el('b'),
    brief: el('span', { class: 'queue-brief' }),
    state: el('span', { class: 'tag' }),
    set: el('span', { class: 'queue-set' }),
    facts: el('span', { class: 'facts' }),
    reason: el('span', { class: 'queue-reason' }),
    runs: el('span', { class: 'queue-runs' }),
    up: button('\u2191', move(-1)),
    down: button('\u2193', move(1)),
    turn: button('', (pressed) => act.turn(pressed, node.item)),
    remove: button('Remove \u2026', (pressed) => act.remove(pressed, node.item)),
    fixed: el('span', { class: 'dim small' }),
  };
  const { number, name, brief, state, set, facts, reason, runs, up, down, turn, remove, fixed } = parts;
  // One line; what can be done about the item is below it when it is opened.
  const line = el('summary', { class: 'queue-line' }, number, name, brief, state);
  const tools = el('span', { class: 'queue-tools' }, up, down, turn, remove, fixed, runs);
  const details = el('details', {}, line, el('div', { class: 'queue-more' }, set, facts, reason, tools));
  details.addEventListener('toggle', () => node.isConnected && (details.open ? opened.add(node.item.number) : opened.delete(node.item.number)));
  node.append(details);
  node.parts = parts;
  return node;
}

/** `last` is the place of the last item still to come. */
export function updateItem(node, item, { last, paused }) {
  if (node.item === undefined && opened.has(item.number)) node.firstChild.open = true;
  node.item = item;
  const { parts } = node;
  node.dataset.state = item.state;
  setText(parts.number, `${item.number}`);
  setText(parts.name, item.recipe.replace(/^.*\//, ''));
  setAttribute(parts.name, 'title', item.recipe);
  setText(parts.state, item.state);
  parts.state.dataset.state = item.state;
  setText(parts.set, valuesOf(item));
  setText(parts.brief, briefOf(item, paused));
  setAttribute(parts.brief, 'title', parts.brief.textContent);
  keyed(parts.facts, factsOf(item, paused), String, (text) => el('span', { text }), () => {});
  setText(parts.reason, reasonOf(item));
  keyed(parts.runs, linksOf(item), ({ href }) => href, () => el('a'), drawLink);
  drawTools(item, parts, last);
}

/** What the line says of the item: why it waits or failed, else what it is measured with, else its first fact. */
function briefOf(item, paused) {
  const reason = item.state === 'held' || item.state === 'failed' ? item.reason : '';
  return reason || valuesOf(item) || factsOf(item, paused)[0] || '';
}

/** What it is measured with: parameters first, then what is only written down. */
function valuesOf({ set, metadata }) {
  return [...Object.entries(set), ...Object.entries(metadata)].map(([name, value]) => `${name}=${value}`).join(', ');
}

function factsOf(item, paused) {
  const { state, priority, attempts, retries, estimated_s: seconds, not_before: begin, deadline, begins, cut } = item;
  const coming = state === 'queued';
  const begun = coming && !paused ? begins : null;
  const open = coming || state === 'held';
  const facts = [
    priority !== 0 && `priority ${priority}`,
    (open || state === 'running') && typeof seconds === 'number' && `takes about ${format.duration(seconds)}`,
    coming && !paused && (begins ? `starts about ${format.soon(begins)}` : 'not reached before the deadline'),
    // Once it has passed, or where it is the beginning that is expected, it says nothing more.
    open && begin && new Date(begin) > new Date() && begin !== begun && `not before ${format.soon(begin)}`,
    open && deadline && `deadline ${format.soon(deadline)}`,
    cut && 'the deadline would stop it',
    attempts > 1 && `begun ${attempts} times`,
    retries > 0 && format.count(retries, 'repetition'),
  ];
  return facts.filter(Boolean);
}

function reasonOf({ state, reason }) {
  if (state !== 'held') return reason ?? '';
  return `${reason ? `${reason}. ` : ''}Release the item to queue it.`;
}

/** Its last run and, when that is over, its report. */
function linksOf({ number, runs, state }) {
  const run = runs.at(-1);
  if (run === undefined) return [];
  const links = [{ href: `#run=${encodeURIComponent(run)}`, text: 'Run', label: `Run ${run} of item ${number}` }];
  if (state !== 'running') links.push({ href: `runs/${encodeURIComponent(run)}/report`, text: 'Report', label: `Report of item ${number}` });
  return links;
}

function drawLink(node, { href, text, label }) {
  setAttribute(node, 'href', href);
  setAttribute(node, 'aria-label', label);
  // A report is a page of its own; a run is shown on this one.
  setAttribute(node, 'target', !href.startsWith('#') && '_blank');
  setAttribute(node, 'rel', !href.startsWith('#') && 'noopener');
  setText(node, text);
}

function drawTools({ number, state, place }, { up, down, turn, remove, fixed }, last) {
  const queued = state === 'queued';
  up.hidden = !queued;
  down.hidden = !queued;
  setAttribute(up, 'aria-label', `Move item ${number} up`);
  setAttribute(down, 'aria-label', `Move item ${number} down`);
  // Not disabled in earnest: at the end of its way the button would lose the focus.
  blocked(up, place === 1 && `Item ${number} is already the first`);
  blocked(down, place === last && `Item ${number} is already the last`);
  // One button for there and back, so that the focus stays where it is.
  const word = queued ? 'Hold' : state === 'held' ? 'Release' : 'Queue again';
  turn.hidden = state === 'running' || state === 'done';
  setText(turn, word);
  setAttribute(turn, 'aria-label', `${word}: item ${number}`);
  remove.hidden = !['queued', 'held', 'failed', 'skipped'].includes(state);
  setAttribute(remove, 'aria-label', `Remove item ${number}`);
  fixed.hidden = state !== 'running';
  setText(fixed, UNDER_WAY);
}

function blocked(button, reason) {
  setAttribute(button, 'aria-disabled', reason && 'true');
  setAttribute(button, 'title', reason);
}
