// @ts-check
// Numbers and times as people read them at a bench.

const MINUS = '\u2212';
export const NONE = '\u2013';

/** A number with a fixed count of decimals and a real minus sign; a dash where there is none. */
export function fixed(value, decimals) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const text = value.toFixed(decimals);
  return /^-0\.?0*$/.test(text) ? text.slice(1) : text.replace('-', MINUS);
}

/** A text of the program with real minus signs. */
export const signed = (text) => text.replace(/-(?=\d)/g, MINUS);

// What a detector reads below this level is its own noise.
const DARK_DBM = -70;

/** Whether a power is so low that it is noise. */
export const isDark = (value, unit) => Number.isFinite(value) && value < (unit === 'mW' ? 10 ** (DARK_DBM / 10) : DARK_DBM);

/** A power: dBm to a hundredth, mW to four digits that count. */
export function power(value, unit) {
  if (unit !== 'mW' || !Number.isFinite(value)) return fixed(value, 2);
  const size = Math.abs(value);
  if (size > 0 && size < 1e-4) return value.toExponential(2).replaceAll('-', MINUS);
  return fixed(value, size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 6);
}

/** A duration: `4.2 s`, `1:05`, `2:03:09`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const two = (part) => String(part).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A share of 0 to 1. */
export function percent(share) {
  return share === null || share === undefined ? '' : `${Math.round(100 * Math.min(1, Math.max(0, share)))} %`;
}

/** `sweep, 45 %, 3.2 s left`, as far as it is known. */
export function activity(operation, share, left) {
  const parts = [operation, percent(share), left === null || left === undefined ? '' : `${duration(left)} left`];
  return parts.filter((part) => part).join(', ');
}

/** The local date and time of a UTC text. */
export function moment(text) {
  if (!text) return NONE;
  const time = new Date(text);
  const two = (part) => String(part).padStart(2, '0');
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** The local time without seconds: without the date while it is today's. */
export function soon(text) {
  const [date, time] = moment(text).split(' ');
  const today = moment(new Date().toISOString()).slice(0, 10) === date;
  return today ? time.slice(0, 5) : `${date} ${time.slice(0, 5)}`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

/** A wavelength with as many decimals as a step of `step_nm` needs. */
export function wavelength(nm, step_nm = 0.001) {
  const decimals = Math.min(6, Math.max(3, Math.ceil(-Math.log10(step_nm)) + 1));
  return fixed(nm, Number.isFinite(decimals) ? decimals : 3);
}

/** An operation of a plan, `{ sweep: { … } }`, as the command line writes it. */
export function operation(planned) {
  const [[name, fields] = ['', {}]] = Object.entries(planned ?? {});
  const inside = Object.entries(fields ?? {}).map(([key, value]) => `${key}: ${plain(value)}`);
  return inside.length > 0 ? `${name} { ${inside.join(', ')} }` : name;
}

function plain(value) {
  if (Array.isArray(value)) return `[${value.map(plain).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    return `{ ${Object.entries(value).map(([key, inner]) => `${key}: ${plain(inner)}`).join(', ')} }`;
  }
  return String(value);
}
