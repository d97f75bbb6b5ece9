// @ts-check
// What keeps the instrument busy right now: one answer for the whole page. The events of the active run take precedence,
// because the header and live power ask less often and would show other numbers for the same sweep.

const OF_INSTRUMENT = new Set(['sweep', 'reference', 'transfer']);

export class Activity {
  #listeners = [];
  #ofRun = null;

  /** The current step of the active run; null when there is none. */
  note(step) {
    const busy = OF_INSTRUMENT.has(step?.activity);
    if (!busy && this.#ofRun === null) return;
    // How far the run is stands in one place only.
    this.#ofRun = busy ? { operation: step.activity } : null;
    for (const draw of this.#listeners) draw();
  }

  /** The activity that the run reports, or else the one that was found. */
  or(found) {
    return this.#ofRun ?? found;
  }

  /** `draw()` is called when the run reports something new. */
  onChange(draw) {
    this.#listeners.push(draw);
  }
}
