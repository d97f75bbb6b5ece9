// @ts-check
// What the form says of an item of the queue, beside its recipe: when, how urgent, and what if it fails.

import { byId } from './dom.js';

/** A field that is wrong shows itself: where nobody sees it, it would keep the form from being sent without a word. */
export function startEnqueue() {
  const box = byId('start-queue-box');
  box.addEventListener('invalid', () => (box.open = true), true);
}

/** The fields of an item that `POST /batch/items` takes; what was left empty is left out. */
export function itemFields() {
  const item = {};
  const priority = byId('start-priority').value;
  if (priority !== '') item.priority = Number(priority);
  for (const [name, id] of [['not_before', 'start-not-before'], ['deadline', 'start-deadline']]) {
    const { value } = byId(id);
    if (value !== '') item[name] = new Date(value).toISOString();
  }
  const times = byId('start-retries').value;
  if (times !== '') item.retry = { times: Number(times) };
  if (byId('start-stop').checked) item.on_failure = 'stop';
  return item;
}
