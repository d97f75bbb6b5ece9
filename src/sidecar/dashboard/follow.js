// @ts-check
// One run as it goes on: its status, brought up to date whenever its event stream says that something happened.

import { BackOff, keepOpen, queryOf, request, wordsOfLink } from './net.js';
import { throttled } from './dom.js';

// All kinds of events of a run. A unit test compares this list with the enum of the program.
const KINDS = [
  'started', 'taken_up', 'decided', 'sweep_repeated', 'columns_decided', 'settings_read', 'reference_taken', 'reference_used',
  'step_started', 'progress', 'waits_until', 'trace_stored', 'trace_withdrawn', 'power_stored', 'power_withdrawn', 'step_finished', 'step_failed',
  'question', 'answered', 'log', 'warning', 'now', 'link_lost', 'link_regained', 'paused', 'darkened', 'resumed', 'disk_full', 'room_again', 'suspended', 'suspension_over', 'stopping',
  'finally', 'lasers_off', 'instruments_safe', 'finished',
];
const PAUSE_MS = 250;
// What came before is only wanted for the log.
const REPLAYED = 1000;

export const isOver = (status) => status.state !== 'running';

/**
 * Hears the journal of a run that is over, once. `failed(words)` says why it cannot be read. Returns how to end it.
 */
export function hearJournal(id, after, record, failed) {
  const stream = new EventSource(`runs/${encodeURIComponent(id)}/events?${queryOf({ after })}`);
  let heard = 0;
  const take = (message) => {
    heard += 1;
    record(JSON.parse(message.data));
    if (message.type === 'finished') stream.close();
  };
  for (const kind of KINDS) stream.addEventListener(kind, take);
  // The stream of an interrupted run ends without `finished`.
  stream.onerror = () => {
    stream.close();
    if (heard === 0) failed('The log cannot be read.');
  };
  return () => stream.close();
}

/**
 * Follows a run until it ends or `close` is called. `hear` has `status(status)`, `record(record)`, `link(words)` and
 * `failed(error)` when there is no such run. `attend` tells the program that somebody is there to answer.
 */
export function follow(id, { attend }, hear) {
  const path = `runs/${encodeURIComponent(id)}`;
  const backOff = new BackOff();
  const closed = new AbortController();
  let status = null;
  let closeStream = null;
  let seen = 0;
  let asking = false;
  let again = false;
  let failing = false;
  let timer = 0;

  const refresh = async () => {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    clearTimeout(timer);
    try {
      take(await request(path, { signal: closed.signal }));
      backOff.reset();
      if (failing) hear.link('');
      failing = false;
    } catch (error) {
      if (closed.signal.aborted) return;
      if (error.status === 404) return hear.failed(error);
      failing = true;
      hear.link(error.message);
      timer = setTimeout(refresh, backOff.next());
    } finally {
      asking = false;
    }
    if (again && !closed.signal.aborted) {
      again = false;
      soon();
    }
  };
  const soon = throttled(() => closed.signal.aborted || refresh(), PAUSE_MS);

  const take = (next) => {
    status = next;
    hear.status(status);
    if (isOver(status)) endStream();
    else if (closeStream === null) {
      seen = Math.max(0, (status.events ?? 0) - REPLAYED);
      closeStream = keepOpen(openStream, tellLink);
    }
  };

  const openStream = ({ up, lost }) => {
    const query = queryOf({ after: seen, ...(attend && { attend: true }) });
    const stream = new EventSource(`${path}/events?${query}`);
    // The browser would try again by itself, but at its own pace and without saying so.
    stream.onerror = () => lost();
    stream.onopen = up;
    for (const kind of KINDS) stream.addEventListener(kind, heard);
    return () => stream.close();
  };

  const heard = (message) => {
    const record = JSON.parse(message.data);
    if (message.type === 'progress') return applyProgress(record);
    seen = Math.max(seen, Number(message.lastEventId) || record.n || 0);
    hear.record(record);
    if (message.type === 'finished') endStream();
    soon();
  };

  const applyProgress = ({ number, activity, done, remaining_s: left }) => {
    const current = status?.current;
    // Progress of a step that the status does not know yet: the status is on its way.
    if (!current || current.number !== number) return;
    const gone = (current.remaining_s ?? 0) - (left ?? 0);
    const remaining_s = status.remaining_s === null ? null : Math.max(0, status.remaining_s - gone);
    status = { ...status, remaining_s, current: { ...current, activity, done, remaining_s: left } };
    hear.status(status);
  };

  const tellLink = (link) => {
    hear.link(link.state === 'connecting' ? '' : wordsOfLink(link));
    // Whatever happened in between is in the status.
    if (link.state === 'open') soon();
  };

  const endStream = () => {
    closeStream?.();
    closeStream = () => {};
    hear.link('');
  };

  refresh();
  return {
    refresh: soon,
    take,
    close: () => {
      closed.abort();
      clearTimeout(timer);
      closeStream?.();
    },
  };
}
