// @ts-check
// What this browser may do. A token for reading shows everything and changes nothing.

import { request } from './net.js';
import { byId } from './dom.js';

/**
 * Asks once what this browser may do, and shows it.
 *
 * @returns {Promise<{ readOnly: boolean }>}
 */
export async function askSession() {
  const { access, logged_in: loggedIn } = await request('session').catch(() => ({ access: 'full', logged_in: false }));
  const readOnly = access === 'read_only';
  document.body.classList.toggle('read-only', readOnly);
  byId('read-only').hidden = !readOnly;
  byId('logout').hidden = !loggedIn;
  byId('logout').addEventListener('click', async () => {
    await fetch('logout', { method: 'POST' }).catch(() => {});
    location.assign('login');
  });
  return { readOnly };
}
