// @ts-check
// Tabs: one of several panels is shown; the arrow keys go from tab to tab.

import { byId, setAttribute } from './dom.js';

/** `shown(tab)` hears the identifier of the tab that is shown from now on. Returns `show(tab)`. */
export function createTabs(list, shown = (/** @type {string} */ _tab) => {}, hidesPanels = true) {
  const tabs = [...byId(list).querySelectorAll('[role="tab"]')];

  function show(tab) {
    for (const one of tabs) {
      const chosen = one.id === tab;
      setAttribute(one, 'aria-selected', chosen ? 'true' : 'false');
      one.tabIndex = chosen ? 0 : -1;
      if (hidesPanels) byId(one.getAttribute('aria-controls')).hidden = !chosen;
    }
    shown(tab);
  }

  byId(list).addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(/** @type {any} */ (document.activeElement)) + step + tabs.length) % tabs.length];
    next.focus();
    show(next.id);
  });
  for (const tab of tabs) tab.addEventListener('click', () => show(tab.id));
  show(tabs[0].id);
  return show;
}
