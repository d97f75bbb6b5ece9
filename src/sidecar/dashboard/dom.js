// @ts-check
// Building the page. Texts become text nodes only: names and messages from recipes are never read as markup.

/** An element with attributes (or, for functions and `text`, properties) and children. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'text') node.textContent = value;
    else if (typeof value === 'function') node.addEventListener(name.replace(/^on/, ''), value);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/**
 * The element with this identifier; the page has every one that is asked for.
 *
 * @param {string} id
 * @returns {any}
 */
export const byId = (id) => document.getElementById(id);

/** Writes a text only when it is another one: live regions stay quiet and nothing is laid out anew. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/** One of the symbols that index.html defines. */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(space, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Says something to those who listen to the page. */
export function announce(text) {
  setText(byId('announcer'), text);
}

/**
 * Makes the children of `parent` be those of `items`, keeping the nodes that are known: focus, scroll position and
 * whatever is expanded stay as they are.
 */
export function keyed(parent, items, keyOf, create, update) {
  parent.keyedNodes ??= new Map();
  const known = parent.keyedNodes;
  const wanted = new Set();
  let place = parent.firstChild;
  for (const item of items) {
    let key = keyOf(item);
    while (wanted.has(key)) key = `${key}'`;
    wanted.add(key);
    let node = known.get(key);
    if (!node) {
      node = create(item);
      known.set(key, node);
    }
    update(node, item);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  for (const [key, node] of known) {
    if (wanted.has(key)) continue;
    node.remove();
    known.delete(key);
  }
}

/** Does what a button is for; a second click meanwhile does nothing, and what goes wrong is said in `problem`. */
export async function perform(button, problem, work) {
  if (button.getAttribute('aria-busy') === 'true') return undefined;
  button.setAttribute('aria-busy', 'true');
  showProblem(problem, null);
  try {
    return await work();
  } catch (error) {
    showProblem(problem, error.message);
    return undefined;
  } finally {
    button.removeAttribute('aria-busy');
  }
}

/** Shows or clears a problem in a box with `role="alert"`. */
export function showProblem(box, text) {
  box.hidden = text === null;
  setText(box, text ?? '');
}

/** Calls `work` at most once per `pauseMs`, and once more after the last call. */
export function throttled(work, pauseMs) {
  let timer = 0;
  let last = -Infinity;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      last = performance.now();
      work();
    }, Math.max(0, last + pauseMs - performance.now()));
  };
}
