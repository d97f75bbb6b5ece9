// @ts-check
// The steps of a run as a tree: groups fold, the step under way is marked and kept in view.

import * as format from './format.js';
import { el, icon, keyed, setAttribute, setText } from './dom.js';

const STATES = { pending: 'not started', running: 'running', done: 'done', failed: 'failed', skipped: 'skipped' };

export class StepTree {
  #box;
  #list = null;
  #shown = null;

  constructor(box) {
    this.#box = box;
  }

  /** Forgets the tree of the run before. */
  clear() {
    this.#list = el('ul');
    this.#shown = null;
    this.#box.replaceChildren(this.#list);
  }

  draw(nodes, currentKey) {
    if (this.#list === null) this.clear();
    drawNodes(this.#list, nodes, currentKey);
    if (currentKey !== this.#shown) {
      this.#shown = currentKey;
      this.#bringIntoView();
    }
  }

  /** Scrolls its own panel only: the page stays where the reader is. */
  #bringIntoView() {
    const current = this.#box.querySelector('[aria-current]');
    if (!current || current.offsetParent === null) return;
    const box = this.#box.getBoundingClientRect();
    const step = current.getBoundingClientRect();
    const margin = Math.min(40, box.height / 4);
    if (step.top < box.top + margin) this.#box.scrollTop -= box.top + margin - step.top;
    else if (step.bottom > box.bottom - margin) this.#box.scrollTop += step.bottom - box.bottom + margin;
  }
}

const GROUPS = { repeat: 'Repeat', align: 'Align', script: 'Script', run_recipe: 'Recipe' };

/** The step in words; a group by its kind. */
const wordsOf = ({ kind, words, text }) => (kind === 'group' ? (GROUPS[text] ?? text) : words);

function drawNodes(list, nodes, currentKey) {
  keyed(list, nodes, ({ key }) => key, create, (item, node) => update(item, node, currentKey));
}

function create(node) {
  const state = el('span', { class: 'step-state' });
  const text = el('span', { class: 'step-text' }, el('span', { class: 'step-place' }), el('span'));
  const times = el('span', { class: 'step-times' });
  const head = el('div', { class: 'step' }, state, text, times);
  const item = el('li', {}, head);
  if (node.kind === 'group') {
    const children = el('ul');
    const fold = el('button', { type: 'button', class: 'fold', 'aria-expanded': 'true' }, icon('fold'));
    fold.addEventListener('click', () => {
      const open = fold.getAttribute('aria-expanded') !== 'true';
      setAttribute(fold, 'aria-expanded', open ? 'true' : 'false');
      children.hidden = !open;
    });
    head.prepend(fold);
    item.append(children);
  }
  item.parts = { head, state, text, times };
  return item;
}

function update(item, node, currentKey) {
  const { head, state, text, times } = item.parts;
  if (item.dataset.state !== node.state) {
    item.dataset.state = node.state;
    state.replaceChildren(icon(node.state), el('span', { class: 'hidden', text: `${STATES[node.state] ?? node.state}: ` }));
  }
  const [place, words] = text.children;
  // Steps of `finally` stand at the end of the same list.
  setText(place, node.key.startsWith('finally[') ? 'finally: ' : '');
  setText(words, format.signed(wordsOf(node)));
  setAttribute(text, 'title', node.kind === 'step' && node.text);
  const turns = node.of !== null && node.of !== undefined && node.of !== 1;
  setText(times, turns ? `${node.times} / ${node.of}` : node.times > 1 ? `${node.times}\u00d7` : '');
  setAttribute(head, 'aria-current', node.key === currentKey && 'step');
  if (item.lastChild !== head) {
    setAttribute(head.firstChild, 'aria-label', `Steps of ${wordsOf(node)}`);
    drawNodes(item.lastChild, node.children ?? [], currentKey);
  }
}
