// @ts-check
// Runs that are not in the object store yet: one line above the list of runs.

import { byId, setText } from './dom.js';

/** What is said about the uploads, and whether a person must look at them; `null` if there is nothing to say. */
export function wordsOfUploads(store) {
  if (store === null || store === undefined) return null;
  const { waiting, run, bytes, all_bytes: all, trouble, refused } = store;
  const runs = (count) => `${count} ${count === 1 ? 'run' : 'runs'}`;
  const parts = [];
  if (waiting > 0) parts.push(`${runs(waiting)} not uploaded yet`);
  if (trouble !== null) parts.push(trouble);
  else if (run !== null) parts.push(all > 0 ? `uploading ${run}: ${Math.floor((100 * bytes) / all)} %` : `uploading ${run}`);
  if (refused.length > 0) parts.push(`${runs(refused.length)} cannot be uploaded: ${refused[0].reason}`);
  if (parts.length === 0) return null;
  return { text: parts.join(' · '), isProblem: refused.length > 0, title: store.store };
}

export function drawUploads(store) {
  const words = wordsOfUploads(store);
  const line = byId('uploads');
  line.hidden = words === null;
  if (words === null) return;
  setText(line, words.text);
  line.title = words.title;
  line.classList.toggle('problem', words.isProblem);
}
