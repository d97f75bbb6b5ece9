// @ts-check
// Verdicts as tags and words.

import { setText } from './dom.js';
import { count, percent } from './format.js';

/** Shows a verdict in a tag, or hides the tag where there is none. */
export function drawVerdict(tag, verdict) {
  tag.hidden = !verdict;
  setText(tag, verdict ?? '');
  tag.dataset.verdict = verdict ?? '';
}

/** How many have a verdict at all. */
export const allOf = ({ pass, marginal, not_measured: missing, fail }) => pass + marginal + missing + fail;

/** `7 of 10 devices pass, 2 fail, 1 not measured`; empty without limits. */
export function wordsOfVerdicts(verdicts) {
  if (!verdicts) return '';
  const ofDevices = allOf(verdicts.devices) > 0;
  const counts = ofDevices ? verdicts.devices : verdicts.analyses;
  const what = ofDevices ? count(allOf(counts), 'device') : count(allOf(counts), 'analysis', 'analyses');
  const others = [[counts.marginal, 'marginal'], [counts.fail, 'fail'], [counts.not_measured, 'not measured']];
  return [`${counts.pass} of ${what} pass`, ...others.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`)].join(', ');
}

/** The yield of a figure: `8 of 10 pass (80 %)`. */
export function wordsOfYield(counts) {
  const all = allOf(counts);
  return all === 0 ? '' : `${counts.pass} of ${all} pass (${percent(counts.pass / all)})`;
}
