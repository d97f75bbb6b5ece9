// What takes its time right now: one answer for the whole page. While a run is under way its own word counts, which comes
// with its events; the header and live power ask less often, and would show other numbers for the same sweep.

let ofRun = null;

/** The step that the run under way is at; null when there is none. */
export function noteActivity(step) {
  ofRun = step?.activity ? { operation: step.activity, progress: step.done, eta_s: step.remaining_s } : null;
}

/** What is going on: as the run says it, or else as it was found. */
export function activityOf(found) {
  return found && ofRun?.operation === found.operation ? ofRun : found;
}
