// @ts-check
// The wafer maps of the run that is looked at, and the yield of each figure. The program draws the maps.

import { BackOff, queryOf, request } from './net.js';
import { byId, el, keyed, setText, showProblem, throttled } from './dom.js';
import { allOf, drawVerdict, wordsOfVerdicts, wordsOfYield } from './verdict.js';
import * as format from './format.js';

// The program draws all maps anew for each answer.
const PAUSE_MS = 3000;
const BY_VERDICT = '';

/** A picture from the program; null if it is none. Only shapes and text are taken over. */
export function pictureOf(text) {
  const parsed = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  if (parsed.nodeName !== 'svg' || parsed.namespaceURI !== 'http://www.w3.org/2000/svg') return null;
  const parts = new Set(['svg', 'g', 'path', 'rect', 'text', 'title']);
  if ([...parsed.querySelectorAll('*')].some(({ nodeName }) => !parts.has(nodeName))) return null;
  return document.importNode(parsed, true);
}

/** The maps of a run. `showMap(isShown)` hears whether there is one. */
export function createWafer(showMap) {
  const backOff = new BackOff();
  let run = null;
  let retry = 0;
  let shade = BY_VERDICT;

  /** Another run, or none, is looked at from now on. */
  function showWaferOf(id) {
    clearTimeout(retry);
    backOff.reset();
    run = id;
    shade = BY_VERDICT;
    byId('wafer').hidden = true;
    showMap(false);
    byId('wafer-maps').replaceChildren();
    byId('wafer-shade').replaceChildren();
    if (id !== null) refreshWafer();
  }

  const refreshWafer = throttled(fetchWafer, PAUSE_MS);

  async function fetchWafer() {
    clearTimeout(retry);
    const asked = run;
    if (asked === null) return;
    const path = `runs/${encodeURIComponent(asked)}`;
    const query = shade === BY_VERDICT ? '' : `?${queryOf({ figure: shade })}`;
    try {
      const [wafer, summary] = await Promise.all([
        request(`${path}/wafer${query}`, { timeoutMs: 30_000 }),
        request(`${path}/figures?limit=1`, { timeoutMs: 30_000 }),
      ]);
      if (asked !== run) return;
      showProblem(byId('wafer-problem'), null);
      backOff.reset();
      draw(wafer, summary);
    } catch (error) {
      if (asked !== run || error.status === 404) return;
      showProblem(byId('wafer-problem'), `The wafer map: ${error.message}`);
      retry = setTimeout(fetchWafer, backOff.next());
    }
  }

  function draw({ maps, figures }, { verdict, verdicts, yields }) {
    const hasYields = yields.length > 0 && verdicts && allOf(verdicts.devices) > 1;
    const isShown = maps.length > 0 || Boolean(hasYields);
    byId('wafer').hidden = !isShown;
    showMap(isShown);
    setText(byId('wafer-title'), maps.length === 0 ? 'Yield' : maps.length === 1 ? 'Wafer map' : 'Wafer maps');
    drawVerdict(byId('wafer-verdict'), verdict);
    setText(byId('wafer-facts'), wordsOfVerdicts(verdicts));
    byId('wafer-shade-box').hidden = maps.length === 0;
    keyed(byId('wafer-shade'), [BY_VERDICT, ...figures], (name) => name, (name) => el('option', { value: name, text: name || 'verdict' }), () => {});
    byId('wafer-shade').value = shade;
    const pictures = maps.map(({ wafer, dies, svg }) =>
      el('figure', {}, el('figcaption', {}, el('b', { text: wafer === null ? 'Wafer' : `Wafer ${wafer}` }), ` ${format.count(dies, 'die')}`), pictureOf(svg)),
    );
    byId('wafer-maps').replaceChildren(...pictures);
    byId('wafer-yields').hidden = !hasYields;
    const rows = hasYields ? yields.map((of) => el('tr', {}, el('td', {}, el('code', { text: of.figure })), el('td', { text: wordsOfYield(of) }))) : [];
    byId('wafer-yields').tBodies[0].replaceChildren(...rows);
  }

  byId('wafer-shade').addEventListener('change', () => {
    shade = byId('wafer-shade').value;
    fetchWafer();
  });
  return { refreshWafer, showWaferOf };
}
