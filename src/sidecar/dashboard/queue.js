// @ts-check
// The queue: what is to be measured and what became of it, and the buttons that change it.

import { post, request } from './net.js';
import { announce, byId, keyed, perform, setText, showProblem, throttled } from './dom.js';
import { createItem, updateItem } from './queueitem.js';
import * as format from './format.js';

const PAUSE_MS = 250;
// When items are expected to begin moves on with the clock, also while nothing changes.
const OLD_MS = 30_000;
const PAGE = 20;
const OVER = new Set(['done', 'failed', 'skipped', 'removed']);
// A person has to do something about the first ones.
const ORDER = ['running', 'held', 'queued'];

function showStale(words) {
  const note = byId('queue-link');
  note.hidden = words === null;
  setText(note, words === null ? '' : `Not up to date: ${words}`);
  // Before the first answer this is all that can be said.
  if (words !== null) byId('queue').hidden = false;
}

/** What is not over: in the order in which a person has to know of it. */
function comingOf(items) {
  const rank = ({ state, place }) => ORDER.indexOf(state) * 1e6 + (place ?? 0);
  return items.filter(({ state }) => !OVER.has(state)).sort((one, other) => rank(one) - rank(other));
}

/** A row that is moved keeps the focus; with a row that is gone, it goes to the title. */
function keepingFocus(work) {
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  const within = byId('queue').contains(focused) && focused.closest('.queue');
  work();
  if (!within || document.activeElement === focused) return;
  if (focused.isConnected && !focused.hidden) focused.focus();
  else byId('queue-title').focus();
}

function sayPlace(items, number) {
  const place = items.find((item) => item.number === number)?.place;
  if (place) announce(`Item ${number} is at place ${place}`);
}

/** The queue. `told(queue)` hears of every answer; of `null` when there is no queue. */
export function createQueue(told) {
  let queue = null;
  let seen = null;
  let askedAt = -Infinity;
  let asked = 0;
  let taken = 0;
  let shownOver = PAGE;
  let toRemove = null;

  /** The program's count of changes, with every look at the instrument; the queue is asked for when it is another one. */
  function noteQueue(changes) {
    if (changes === null || changes === undefined) {
      seen = null;
      if (queue !== null) take(null);
      return;
    }
    if (changes === seen && performance.now() - askedAt < OLD_MS) return;
    seen = changes;
    refresh();
  }

  const refresh = throttled(async () => {
    asked += 1;
    const mine = asked;
    askedAt = performance.now();
    try {
      takeAnswer(mine, await request('batch'));
      showStale(null);
    } catch (error) {
      // It is asked again with the next look at the instrument.
      seen = null;
      if (error.status === 404) take(null);
      else showStale(error.message);
    }
  }, PAUSE_MS);

  /** Answers may overtake one another: what is older than what is shown is left out. */
  function takeAnswer(number, next) {
    if (number < taken) return;
    taken = number;
    take(next);
  }

  function take(next) {
    queue = next;
    draw();
    told(queue);
  }

  function draw() {
    byId('queue').hidden = queue === null;
    byId('queue-banner').hidden = !queue?.paused;
    if (queue === null) return;
    const { items, paused } = queue;
    setText(byId('queue-state'), paused ? 'paused' : '');
    byId('queue-state').hidden = !paused;
    byId('queue-pause').hidden = false;
    setText(byId('queue-pause'), paused ? 'Resume queue' : 'Pause queue');
    setText(byId('queue-facts'), factsOf(queue));
    byId('queue-facts').hidden = items.length === 0;
    byId('queue-none').hidden = items.length > 0;
    drawNote();
    keepingFocus(() => {
      drawList(byId('queue-list'), comingOf(items));
      const over = items.filter(({ state }) => OVER.has(state)).reverse();
      byId('queue-over-box').hidden = over.length === 0;
      setText(byId('queue-over-title'), `Over: ${countsOf(OVER)}`);
      drawList(byId('queue-over'), over.slice(0, shownOver));
      byId('queue-more').hidden = over.length <= shownOver;
    });
  }

  function drawList(list, items) {
    const last = Math.max(0, ...queue.items.map(({ place }) => place ?? 0));
    list.hidden = items.length === 0;
    keyed(list, items, ({ number }) => String(number), () => createItem(itemActions), (node, item) => updateItem(node, item, { last, paused: queue.paused }));
  }

  function countsOf(states) {
    const counts = [...states].filter((state) => queue.counts[state] > 0);
    return counts.map((state) => `${queue.counts[state]} ${state}`).join(', ');
  }

  function factsOf({ batch, open, counts, remaining_s: left, ends, paused }) {
    const parts = [!open && `batch ${batch}`, countsOf(ORDER) || 'nothing is waiting'];
    if (counts.queued > 0) parts.push(`about ${format.duration(left)} to measure`, !paused && ends && `until ${format.soon(ends)}`);
    return parts.filter(Boolean).join(' \u00b7 ');
  }

  function drawNote() {
    const { paused, counts, not_before: begin, deadline } = queue;
    const texts = [
      paused && `No item starts before you resume the queue${counts.running > 0 ? '; the active run continues' : ''}.`,
      counts.held > 0 && `${format.count(counts.held, 'item')} ${counts.held === 1 ? 'waits' : 'wait'} for a person: release or remove.`,
      begin && new Date(begin) > new Date() && `No item starts before ${format.soon(begin)}.`,
      deadline && `No item starts after ${format.soon(deadline)}.`,
    ].filter(Boolean);
    byId('queue-note').hidden = texts.length === 0;
    setText(byId('queue-note'), texts.join(' '));
  }

  const itemActions = {
    turn: (button, { number, state }) => change(button, `items/${number}/${state === 'queued' ? 'hold' : 'release'}`),
    move: (button, { number }, to) => change(button, `items/${number}/move?to=${to}`, ({ items }) => sayPlace(items, number)),
    remove: (button, item) => {
      toRemove = { button, number: item.number };
      setText(byId('remove-title'), `Remove item ${item.number} (${item.recipe})?`);
      const dialog = byId('remove-dialog');
      dialog.returnValue = '';
      dialog.showModal();
    },
  };

  function removeChosen() {
    const { button, number } = toRemove;
    button.focus();
    if (byId('remove-dialog').returnValue === 'remove') change(button, `items/${number}/remove`);
  }

  /**
   * Has the queue changed; the answer is the queue as it is then.
   *
   * @param {(queue: any) => void} [then]
   */
  function change(button, what, then = () => {}) {
    return perform(button, byId('queue-problem'), async () => {
      asked += 1;
      const mine = asked;
      try {
        const next = await post(`batch/${what}`);
        takeAnswer(mine, next);
        then(next);
      } catch (error) {
        // What is shown was not what is: somebody else has changed it.
        refresh();
        throw error;
      }
    });
  }

  /** Shows the queue as it is now; for whoever has added to it. */
  function refreshQueue() {
    showProblem(byId('queue-problem'), null);
    refresh();
  }

  const pause = byId('queue-pause');
  pause.addEventListener('click', () => change(pause, queue.paused ? 'resume' : 'pause'));
  const resume = byId('queue-banner-resume');
  resume.addEventListener('click', () => change(resume, 'resume'));
  byId('queue-more').addEventListener('click', () => {
    shownOver += PAGE;
    draw();
  });
  byId('remove-dialog').addEventListener('close', removeChosen);
  return { noteQueue, refreshQueue };
}
