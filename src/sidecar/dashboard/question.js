// @ts-check
// The operator's question: over everything else on the page, whichever run is being looked at.

import { post } from './net.js';
import { announce, byId, el, perform, setText } from './dom.js';
import * as format from './format.js';

// What a prompt without choices is answered with when nothing was typed.
const GO_ON = 'continue';

function answersTo(run, { choices }, answered) {
  const send = (button, answer) =>
    perform(button, byId('question-problem'), async () => {
      answered(await post(`runs/${encodeURIComponent(run)}/answer`, { answer }));
    });
  const form = byId('question-form');
  form.onsubmit = (event) => event.preventDefault();
  if (choices.length > 0) {
    return choices.map((choice) => {
      const button = el('button', { type: 'button', class: 'primary', text: choice });
      button.addEventListener('click', () => send(button, choice));
      return button;
    });
  }
  const field = el('input', { type: 'text', id: 'answer', autocomplete: 'off', placeholder: GO_ON });
  const button = el('button', { type: 'submit', class: 'primary', text: 'Continue' });
  field.addEventListener('input', () => setText(button, field.value.trim() ? 'Answer' : 'Continue'));
  form.onsubmit = (event) => {
    event.preventDefault();
    send(button, field.value.trim() || GO_ON);
  };
  return [el('label', { class: 'field grow' }, 'Answer (may stay empty)', field), button];
}

/** The question of the run under way. The time that is left moves on with the clock. */
export function createQuestion() {
  let shown = null;
  let until = null;

  function drawTimeLeft() {
    const note = byId('question-until');
    note.hidden = until === null;
    if (until === null) return;
    const left_s = Math.max(0, (Date.parse(until) - Date.now()) / 1000);
    setText(note, `Time left to answer: ${format.duration(left_s)}. After that the unattended answer is used.`);
  }

  /** Shows the open question of a run, or none. */
  function drawQuestion(status, answered) {
    const question = status?.question ?? null;
    until = question?.until ?? null;
    drawTimeLeft();
    const known = question && `${status.run} ${question.number} ${question.message}`;
    if (known === shown) return;
    shown = known;
    const box = byId('question');
    if (question === null) {
      const held = box.contains(document.activeElement);
      box.hidden = true;
      if (held) byId('run-title').focus();
      return;
    }
    setText(byId('question-title'), `${status.name} asks`);
    setText(byId('question-message'), question.message);
    byId('question-problem').hidden = true;
    byId('question-form').replaceChildren(...answersTo(status.run, question, answered));
    box.hidden = false;
    // The focus goes to the question and not to an answer: a key that was meant for something else answers nothing.
    if (!document.querySelector('dialog[open]')) box.focus();
    announce(`Question: ${question.message}`);
  }

  setInterval(drawTimeLeft, 1000);
  return { drawQuestion };
}
