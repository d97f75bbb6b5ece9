// What keeps the instrument busy right now: one answer for the whole page. While a run is under way its own word counts,
// which comes with its events; the header and live power ask less often, and would show other numbers for the same sweep.

const OF_INSTRUMENT = new Set(['sweep', 'reference', 'transfer']);

const drawn = [];
let ofRun = null;

/** The step that the run under way is at; null when there is none. */
export function noteActivity(step) {
  const busy = OF_INSTRUMENT.has(step?.activity);
  if (!busy && ofRun === null) return;
  ofRun = busy ? { operation: step.activity, progress: step.done, eta_s: step.remaining_s } : null;
  for (const draw of drawn) draw();
}

/** What is going on: as the run says it, or else as it was found. */
export const activityOf = (found) => ofRun ?? found;

/** `draw()` shows an activity, and is called when the run says something new. */
export function whenActivityChanges(draw) {
  drawn.push(draw);
}
