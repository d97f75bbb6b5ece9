// @ts-check
// The drawer with the form. It covers no button of the bar: the lasers can be turned off while it is open.

import { byId, setAttribute } from './dom.js';

/** `opened()` is called each time the drawer opens. */
export function createDrawer(opened) {
  const drawer = byId('start');
  const opener = byId('start-open');

  function open() {
    if (!drawer.hidden) return;
    drawer.hidden = false;
    setAttribute(opener, 'aria-expanded', 'true');
    opened();
    byId('start-recipe').focus();
  }

  function close() {
    if (drawer.hidden) return;
    const held = drawer.contains(document.activeElement);
    drawer.hidden = true;
    setAttribute(opener, 'aria-expanded', 'false');
    if (held) opener.focus();
  }

  opener.addEventListener('click', () => (drawer.hidden ? open() : close()));
  byId('start-close').addEventListener('click', close);
  document.addEventListener('keydown', (event) => {
    // A dialog above the drawer closes first.
    if (event.key === 'Escape' && !document.querySelector('dialog[open]')) close();
  });
  return { close };
}
