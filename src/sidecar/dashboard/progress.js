// @ts-check
// How far a run is, in words and as one number.

import * as format from './format.js';

/** The state in a word or two; also for the title of the page. */
export function wordsOfState({ state, pause, waiting }) {
  if (state !== 'running') return state;
  if (waiting) return `waits for ${waiting}`;
  return pause === 'held' ? 'paused' : pause === 'asked' ? 'pauses at the next step' : 'running';
}

/** Operations done of those foreseen: the one number of the progress. Null if none are foreseen. */
export function shareOf({ operations, finished_steps: steps, state }) {
  if (state === 'done') return 1;
  // A loop with a condition can perform more than was foreseen.
  return operations > 0 ? Math.min(0.99, steps / operations) : null;
}

/** `12 of 25 operations`, as far as they are foreseen. */
export function wordsOfProgress({ operations, finished_steps: steps }) {
  return operations === null || steps > operations ? format.count(steps, 'operation') : `${steps} of ${format.count(operations, 'operation')}`;
}

/** The step under way in words, with the turns of its loops: `device=ring_3 \u00b7 Sweep 1540\u20131560 nm`. */
export function wordsOfStep(current) {
  if (!current) return '';
  const again = current.attempt > 1 ? ` (attempt ${current.attempt})` : '';
  return format.signed([...(current.turns ?? []), `${current.words}${again}`].join(' \u00b7 '));
}
