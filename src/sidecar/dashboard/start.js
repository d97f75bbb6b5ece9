// @ts-check
// Starting a run: a recipe of the list with its parameters, or a pasted text; checked and planned before.

import { post, queryOf, request } from './net.js';
import { byId, el, perform, setAttribute, setText, showProblem } from './dom.js';
import { createDrawer } from './drawer.js';
import { itemFields, startEnqueue } from './enqueue.js';
import { clearFindings, showFindings, showPlan } from './findings.js';
import { recall, remember } from './kept.js';

// Walking a long recipe takes a while.
const WALK_MS = 60_000;

/** The input of one parameter; its default fixes the type. */
function field(name, parameter) {
  const id = `parameter-${name}`;
  const kind = typeof parameter.default;
  const hint = [parameter.description, range(parameter)].filter(Boolean).join('; ');
  const hintId = `${id}-hint`;
  const input = inputFor(parameter, kind, { id, 'aria-describedby': hint ? hintId : null });
  const label = el('label', { for: id }, name, parameter.unit && el('span', { class: 'dim', text: ` (${parameter.unit})` }));
  const node = el('div', { class: 'parameter' }, label, input, hint && el('span', { class: 'dim hint', id: hintId, text: hint }));
  const value = () => {
    if (kind === 'boolean') return input.checked;
    if (parameter.choices?.length > 0) return parameter.choices[input.selectedIndex];
    return kind === 'number' ? Number(input.value) : input.value;
  };
  return { node, input, name, value, changed: () => value() !== parameter.default };
}

function inputFor(parameter, kind, attributes) {
  const { default: preset, choices, min, max } = parameter;
  if (choices?.length > 0) {
    const select = el('select', attributes, ...choices.map((choice) => el('option', { text: String(choice) })));
    select.selectedIndex = Math.max(0, choices.indexOf(preset));
    return select;
  }
  if (kind === 'boolean') return el('input', { ...attributes, type: 'checkbox', checked: preset });
  if (kind === 'number') return el('input', { ...attributes, type: 'number', step: 'any', required: true, min, max, value: preset });
  return el('input', { ...attributes, type: 'text', value: preset, autocomplete: 'off' });
}

function range({ min, max }) {
  const known = (limit) => limit !== null && limit !== undefined;
  if (known(min) && known(max)) return `${min} to ${max}`;
  return known(min) ? `${min} or more` : known(max) ? `${max} or less` : null;
}

function clearTold() {
  clearFindings();
  setText(byId('start-added'), '');
}

/**
 * The form in its drawer. `started(status)` hears of a run that was begun here, `queued()` of items that were added to
 * the queue; `lastRecipe()` is the path of the recipe of the newest run.
 */
export function createStart(started, queued, lastRecipe) {
  let recipes = [];
  let fields = [];
  let queue = null;

  /** Says which run holds the instrument. */
  function drawStart(run) {
    const held = byId('start-held');
    held.hidden = run === null;
    const way = queue?.open ? ', or add it to the queue' : '';
    setText(held, run === null ? '' : `Run ${run} holds the instrument: another one can start when it has ended${way}.`);
    setAttribute(byId('start-go'), 'disabled', run !== null && '');
  }

  /** Where there is a queue that takes items, the form can add to it. */
  function drawStartQueue(next) {
    queue = next;
    const open = queue?.open === true;
    byId('start-queue').hidden = !open;
    byId('start-queue').disabled = !fromList();
    byId('start-queue-why').hidden = !open || fromList();
    byId('start-queue-box').hidden = !open || !fromList();
  }

  async function loadRecipes() {
    try {
      recipes = (await request('recipes')).recipes;
      showProblem(byId('start-problem'), null);
    } catch (error) {
      showProblem(byId('start-problem'), error.message);
      return;
    }
    const select = byId('start-recipe');
    const wanted = [select.value, recall('start').recipe, lastRecipe()].find((path) => recipes.some((recipe) => recipe.path === path));
    const changed = wanted !== select.value || wanted === undefined;
    // Without a recipe that was used before, a person chooses: the first of the list is nobody's choice.
    const none = el('option', { value: '', text: recipes.length > 0 ? 'Choose a recipe \u2026' : 'No recipe', disabled: true });
    select.replaceChildren(none, ...recipes.map(({ path, name, error }) => el('option', { value: path, text: `${name ?? path}${error ? ' (has errors)' : ''}` })));
    select.value = wanted ?? '';
    if (changed) drawRecipe();
  }

  const chosenRecipe = () => recipes.find(({ path }) => path === byId('start-recipe').value);
  const fromList = () => byId('start-form').elements.source.value === 'list';

  function drawSource() {
    byId('start-list').hidden = !fromList();
    byId('start-text').hidden = fromList();
    byId('start-recipe-text').required = !fromList();
    byId('start-recipe').required = fromList();
    // A field that is not seen must not keep the form from being sent.
    for (const { input } of fields) input.disabled = !fromList();
    drawStartQueue(queue);
    clearTold();
  }

  function drawRecipe() {
    const recipe = chosenRecipe();
    setText(byId('start-description'), recipe ? [recipe.description, recipe.path].filter(Boolean).join(' \u00b7 ') : recipes.length > 0 ? '' : 'The configuration lists no recipe folder.');
    const error = byId('start-recipe-error');
    error.hidden = !recipe?.error;
    setText(error, recipe?.error ?? '');
    fields = Object.entries(recipe?.parameters ?? {}).map(([name, parameter]) => field(name, parameter));
    byId('start-parameters').replaceChildren(...fields.map(({ node }) => node));
    clearTold();
  }

  /**
   * What is sent; parameters that were left alone keep the recipe's own value.
   *
   * @returns {any}
   */
  function orderOf() {
    const unattended = byId('start-unattended').checked;
    // The page can attend a run only when it is under way; its first step may ask before that.
    const order = { unattended, attend: !unattended };
    if (!fromList()) return { recipe: byId('start-recipe-text').value, format: byId('start-format').value, ...order };
    const changed = fields.filter((one) => one.changed()).map(({ name, value }) => [name, value()]);
    return { path: byId('start-recipe').value, parameters: Object.fromEntries(changed), ...order };
  }

  /** The same as an item of the queue. */
  function itemOf() {
    const { path: recipe, parameters: set, unattended } = orderOf();
    return { recipe, set, unattended, ...itemFields() };
  }

  const nameOfOrder = () => (fromList() ? (chosenRecipe()?.name ?? byId('start-recipe').value) : 'the pasted recipe');

  /** Sends the form somewhere; a recipe that is refused is shown with its findings. */
  function send(button, path, take, order = orderOf) {
    if (!byId('start-form').reportValidity()) return undefined;
    clearTold();
    return perform(button, byId('start-problem'), async () => {
      try {
        await take(await post(path, order(), { timeoutMs: WALK_MS }));
      } catch (error) {
        if (!error.findings) throw error;
        showFindings(error.findings);
      }
    });
  }

  function check() {
    return send(byId('start-check'), 'check', ({ findings }) => showFindings(findings, 'No errors and no warnings.'));
  }

  function plan() {
    return send(byId('start-plan'), 'plan', (reply) => showPlan(nameOfOrder(), reply));
  }

  function go() {
    return send(byId('start-go'), 'runs', (status) => {
      // What was found and does not keep it from running is left to be read.
      showFindings(status.findings ?? []);
      rememberRecipe();
      drawer.close();
      started(status);
    });
  }

  const rememberRecipe = () => fromList() && remember('start', { recipe: byId('start-recipe').value });

  function enqueue() {
    const take = ({ numbers, findings }) => {
      showFindings(findings);
      rememberRecipe();
      setText(byId('start-added'), `Added to the queue as item ${numbers.join(', ')}.`);
      queued();
    };
    return send(byId('start-queue'), 'batch/items', take, itemOf);
  }

  function editCopy() {
    const path = byId('start-recipe').value;
    return perform(byId('start-edit'), byId('start-problem'), async () => {
      const { text } = await request(`recipes/text?${queryOf({ path })}`);
      byId('start-recipe-text').value = text;
      byId('start-format').value = path.endsWith('.rhai') ? 'rhai' : 'yaml';
      byId('start-form').elements.source.value = 'text';
      drawSource();
      byId('start-recipe-text').focus();
    });
  }

  startEnqueue();
  const form = byId('start-form');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    go();
  });
  form.addEventListener('input', clearTold);
  for (const source of form.elements.source) source.addEventListener('change', drawSource);
  byId('start-recipe').addEventListener('change', drawRecipe);
  byId('start-check').addEventListener('click', check);
  byId('start-plan').addEventListener('click', plan);
  byId('start-queue').addEventListener('click', enqueue);
  byId('start-edit').addEventListener('click', editCopy);
  const drawer = createDrawer(loadRecipes);
  drawSource();
  return { drawStart, drawStartQueue };
}
