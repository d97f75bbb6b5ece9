// @ts-check
// The colours of style.css for what is drawn by script, and when they change.

const dark = matchMedia('(prefers-color-scheme: dark)');
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** How many curves can be told apart. */
export const CURVES = 8;

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function curveColour(slot) {
  return colour(`curve-${(slot % CURVES) + 1}`);
}

export function onThemeChange(tell) {
  dark.addEventListener('change', tell);
}

export const wantsLittleMotion = () => calm.matches;
