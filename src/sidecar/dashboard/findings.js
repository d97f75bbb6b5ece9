// @ts-check
// What is wrong with a recipe, and what it would do: findings with their excerpt, the plan as a table.

import { byId, el } from './dom.js';
import * as format from './format.js';

const ROWS = 500;

export function clearFindings() {
  byId('findings').replaceChildren();
}

/** Findings as `ctp10 check` prints them; `praise` is said when there are none. */
export function showFindings(findings, praise = null) {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.length - errors;
  const parts = [errors > 0 && format.count(errors, 'error'), warnings > 0 && format.count(warnings, 'warning')].filter(Boolean);
  const head = parts.length > 0 ? parts.join(', ') : praise;
  const state = errors > 0 ? 'error' : warnings > 0 ? 'warning' : 'good';
  byId('findings').replaceChildren(...(head ? [el('p', { class: `verdict ${state}`, text: head })] : []), ...findings.map(excerpt));
}

/** The message, broken into lines, above the place in the recipe with its caret. */
function excerpt(finding) {
  const [head, ...place] = (finding.text ?? `${finding.severity}: ${finding.message}`).split('\n');
  const hint = !finding.text && finding.hint && el('p', { text: `help: ${finding.hint}` });
  const code = place.length > 0 && el('pre', { tabindex: 0, text: place.join('\n') });
  return el('div', { class: `excerpt ${finding.severity}` }, el('p', { text: head }), code, hint);
}

export function showPlan(name, { steps, total }) {
  const rows = rowsOf(steps);
  byId('plan-title').textContent = `Plan of ${name}`;
  byId('plan-total').textContent = wordsOfTotal(total);
  const body = byId('plan-steps');
  body.replaceChildren();
  const more = byId('plan-more');
  let shown = 0;
  const showMore = () => {
    body.append(...rows.slice(shown, shown + ROWS).map(drawRow));
    shown = Math.min(rows.length, shown + ROWS);
    more.hidden = shown >= rows.length;
    more.textContent = `Show more (${format.count(rows.length - shown, 'operation')})`;
  };
  more.onclick = showMore;
  showMore();
  byId('plan-dialog').showModal();
}

function rowsOf(steps) {
  let at = 0;
  let ending = false;
  return steps.map((step) => {
    const row = { step, at, begins: step.finally && !ending };
    ending = step.finally;
    at += step.estimated_s ?? 0;
    return row;
  });
}

function drawRow({ step, at, begins }) {
  const turns = step.turns.length > 0 && el('span', { class: 'dim', text: `${format.signed(step.turns.join(' \u00b7 '))} \u00b7 ` });
  const words = el('span', { title: format.operation(step.operation), text: format.signed(step.words) });
  const text = el('td', {}, turns, words, step.may_differ && el('em', { text: ' may differ' }));
  const cells = [el('td', { text: step.number }), el('td', { text: format.duration(at) }), el('td', { text: format.duration(step.estimated_s) }), text];
  cells.push(el('td', { text: step.points > 0 ? step.points.toLocaleString('en') : '' }));
  return el('tr', { class: begins && 'finally' }, ...cells);
}

function wordsOfTotal({ operations, estimated_s: seconds, points, bytes, may_differ: mayDiffer, waits }) {
  const parts = [format.count(operations, 'operation'), `about ${format.duration(seconds)}`, format.count(points, 'point'), `about ${size(bytes)}`];
  const notes = [mayDiffer && 'Values that depend on measurements may differ.', waits && 'Times of waiting for a person or for a time of day are not included.'];
  return [`${parts.join(', ')}.`, ...notes.filter(Boolean)].join(' ');
}

function size(bytes) {
  const steps = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(steps.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${(bytes / 1024 ** power).toFixed(power > 0 ? 1 : 0)} ${steps[power]}`;
}
