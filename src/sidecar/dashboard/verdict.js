// @ts-check
// Verdicts as tags and words.

import { setText } from './dom.js';
import { count } from './format.js';

/** Shows a verdict in a tag, or hides the tag where there is none. */
export function drawVerdict(tag, verdict) {
  tag.hidden = !verdict;
  setText(tag, verdict ?? '');
  tag.dataset.verdict = verdict ?? '';
}

/** `7 of 10 devices pass, 2 fail, 1 not measured`; empty without limits. */
export function wordsOfVerdicts(verdicts) {
  if (!verdicts) return '';
  const all = ({ pass, marginal, not_measured: missing, fail }) => pass + marginal + missing + fail;
  const ofDevices = all(verdicts.devices) > 0;
  const counts = ofDevices ? verdicts.devices : verdicts.analyses;
  const what = ofDevices ? count(all(counts), 'device') : count(all(counts), 'analysis', 'analyses');
  const others = [[counts.marginal, 'marginal'], [counts.fail, 'fail'], [counts.not_measured, 'not measured']];
  return [`${counts.pass} of ${what} pass`, ...others.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`)].join(', ');
}

/** The yield of a figure: `8 of 10 pass (80 %)`. */
export function wordsOfYield({ pass, marginal, not_measured: missing, fail }) {
  const all = pass + marginal + missing + fail;
  return all === 0 ? '' : `${pass} of ${all} pass (${Math.round((100 * pass) / all)} %)`;
}
