// @ts-check
// Live power: four numbers by the names of their detectors, and the last minute.

import { keepOpen, openSocket, wordsOfLink } from './net.js';
import { byId, el, setAttribute, setText } from './dom.js';
import { LiveChart } from './livechart.js';
import { recall, remember } from './kept.js';
import * as format from './format.js';

const CHANNELS = 4;
const MODULES = 20;
const INTERVALS_S = [0.05, 0.1, 0.2, 0.5, 1, 2, 5];
// A page that nobody looks at should not keep the instrument busy.
const HIDDEN_LIMIT_MS = 30_000;

/** Live power, as long as the page is looked at. */
export function startLive(activity) {
  const chosen = { module: 4, interval: 0.1 };
  const tiles = [];
  let names = {};
  let chart;
  let stop = null;
  /** @type {{ state: string, retryAt?: number }} */
  let link = { state: 'connecting' };
  let frame = null;
  let heardAt = 0;
  let dropLink = () => {};

  function connect() {
    if (stop) return;
    const path = `ws/power?module=${chosen.module}&interval=${chosen.interval}`;
    chart.clear(Math.max(1, 3 * chosen.interval));
    stop = keepOpen(openSocket(path, take), (state) => {
      link = state;
      heardAt = performance.now();
      drawStatus();
    });
  }

  function disconnect() {
    stop?.();
    stop = null;
    link = { state: 'waiting', retryAt: Date.now() };
  }

  function reconnect() {
    disconnect();
    frame = null;
    connect();
  }

  /** Frames come at the interval, whatever happens: a long silence is a connection that died without a word. */
  function watchSilence() {
    const silence_ms = performance.now() - heardAt;
    if (stop && link.state === 'open' && silence_ms > 10_000 + 3_000 * chosen.interval) dropLink();
    drawStatus();
  }

  function take(next, lost) {
    heardAt = performance.now();
    dropLink = lost;
    if (next.type === 'heartbeat') return;
    // An error frame has no values: the last ones stay, dimmed.
    frame = next.type === 'error' ? { ...frame, ...next } : next;
    if (next.type !== 'error') chart.add(powersOf(next), next.unit, next.type === 'busy');
    drawNumbers();
    drawStatus();
  }

  const powersOf = (from) => tiles.map((_, channel) => from[`ch${channel + 1}_power`]);

  function drawNumbers() {
    powersOf(frame).forEach((value, channel) => {
      const { number, unit } = tiles[channel];
      const isDark = format.isDark(value, frame.unit);
      setText(number, isDark ? 'dark' : format.power(value, frame.unit));
      setAttribute(number, 'data-dark', isDark && 'true');
      setAttribute(number, 'title', isDark && `${format.power(value, frame.unit)} ${frame.unit}`);
      setText(unit, isDark || value === null || value === undefined ? '' : (frame.unit ?? ''));
    });
  }

  function drawStatus() {
    const [state, words] = wordsOfStatus();
    const status = byId('live-status');
    status.dataset.state = state;
    setText(status, words);
    byId('live-numbers').classList.toggle('stale', state !== 'live');
  }

  function wordsOfStatus() {
    if (link.state !== 'open') return ['lost', wordsOfLink(link)];
    if (frame === null) return ['lost', 'waiting for the first reading'];
    const silence_s = (performance.now() - heardAt) / 1000;
    if (silence_s > 2 + 3 * chosen.interval) return ['lost', `no reading for ${format.duration(silence_s)}`];
    if (frame.type === 'error') return ['lost', frame.error ?? frame.message ?? 'the instrument is unreachable'];
    if (frame.type === 'busy') {
      const age = typeof frame.age_s === 'number' ? `; reading ${format.duration(frame.age_s)} old` : '';
      const { operation, progress, eta_s: left } = activity.or(frame);
      return ['busy', `busy: ${format.activity(operation, progress, left)}${age}`];
    }
    return ['live', typeof frame.wavelength_nm === 'number' ? `live, calibrated at ${format.fixed(frame.wavelength_nm, 3)} nm` : 'live'];
  }

  function buildTiles() {
    const numbers = byId('live-numbers');
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      const number = el('span', { class: 'number', text: format.NONE });
      const unit = el('span', { class: 'unit' });
      const name = el('button', { type: 'button', class: 'channel', 'aria-pressed': 'true' });
      const tile = el('div', { class: 'tile', 'data-channel': channel + 1 }, name, el('p', { class: 'reading' }, number, unit));
      name.addEventListener('click', () => {
        const shown = name.getAttribute('aria-pressed') !== 'true';
        setAttribute(name, 'aria-pressed', shown ? 'true' : 'false');
        chart.show(channel, shown);
      });
      tiles.push({ name, number, unit });
      numbers.append(tile);
    }
  }

  /** The names that the run which is shown gives to detectors, by `module/channel`. */
  function nameDetectors(next) {
    names = next;
    nameTiles();
  }

  function nameTiles() {
    const shown = tiles.map((_, channel) => names[`${chosen.module}/${channel + 1}`] ?? `${chosen.module}/${channel + 1}`);
    tiles.forEach(({ name }, channel) => {
      const address = `${chosen.module}/${channel + 1}`;
      name.replaceChildren(el('i', { class: `swatch curve-${channel + 1}` }), el('span', { class: 'channel-name', text: shown[channel] }));
      setAttribute(name, 'title', `${address}: show or hide the curve`);
      setAttribute(name, 'aria-label', `Curve of ${shown[channel]}${shown[channel] === address ? '' : `, detector ${address}`}`);
    });
    chart?.name(shown);
  }

  function buildChoices() {
    const modules = byId('live-module');
    for (let module = 1; module <= MODULES; module += 1) modules.append(el('option', { value: module, text: String(module) }));
    const intervals = byId('live-interval');
    for (const interval of INTERVALS_S) intervals.append(el('option', { value: interval, text: `${interval} s` }));
    modules.value = String(chosen.module);
    intervals.value = String(chosen.interval);
    modules.addEventListener('change', () => {
      chosen.module = Number(modules.value);
      nameTiles();
      tiles.forEach(({ number, unit }) => {
        setText(number, format.NONE);
        setText(unit, '');
      });
      remember('live', chosen);
      reconnect();
    });
    intervals.addEventListener('change', () => {
      chosen.interval = Number(intervals.value);
      remember('live', chosen);
      reconnect();
    });
  }

  function recallChoice() {
    const kept = recall('live');
    if (Number.isInteger(kept.module) && kept.module >= 1 && kept.module <= MODULES) chosen.module = kept.module;
    if (INTERVALS_S.includes(kept.interval)) chosen.interval = kept.interval;
  }

  recallChoice();
  buildChoices();
  buildTiles();
  chart = new LiveChart(byId('live-chart'), CHANNELS);
  nameTiles();
  connect();
  let hiding = 0;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    if (!document.hidden) connect();
    else hiding = setTimeout(disconnect, HIDDEN_LIMIT_MS);
  });
  setInterval(watchSilence, 500);
  activity.onChange(drawStatus);
  return { nameDetectors };
}
