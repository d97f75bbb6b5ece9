// @ts-check
// Plotly, loaded when a chart is needed, and the dress of the spectrum.
//
// Curves are SVG: a window has a few thousand points at most, and the WebGL traces would need a policy that allows
// code to be made out of text.

import { nameOf } from './names.js';
import { axisUnit, endsOf, levelOf, unitOf, xOf } from './scales.js';
import { colour, curveColour } from './theme.js';

let loading = null;

export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = 'assets/plotly-basic.min.js';
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error('the chart library cannot be loaded'));
    };
    document.head.append(script);
  });
  return loading;
}

// Touching the plot scrolls the page; the buttons below it zoom.
const byFinger = matchMedia('(pointer: coarse)').matches;

export const CONFIG = {
  displaylogo: false,
  showTips: false,
  displayModeBar: byFinger ? false : 'hover',
  modeBarButtons: [['zoom2d', 'pan2d', 'toImage']],
  doubleClick: false,
  scrollZoom: false,
  toImageButtonOptions: { filename: 'spectrum', scale: 2 },
};

/** dB is on the left axis and dBm on the right one; alone, either is on the left. */
function axisOf(unit, units) {
  return unit === 'dB' || !units.has('dB') ? 'y' : 'y2';
}

/** Whether dB and dBm are drawn together, so that the plot has an axis on each side. */
const hasTwoAxes = (units) => units.has('dB') && units.size > 1;

/** The space around the drawing area, px. The axes have no automatic margins, so the area is known without Plotly. */
export function marginsOf({ units, narrow }) {
  return { l: narrow ? 48 : 60, r: hasTwoAxes(units) ? (narrow ? 44 : 56) : 24, t: 10, b: 44 };
}

/** The dress of every axis. Plotly would write small numbers with a prefix, and the unit `mW` has one: `1\u03bc mW`. */
export const axisOfChart = (rest) => ({
  color: colour('dim'),
  gridcolor: colour('grid'),
  linecolor: colour('line'),
  zeroline: false,
  exponentformat: 'e',
  ...rest,
});

function titleOf(unit, scale) {
  const shown = unitOf(unit, scale);
  return `${unit === 'dB' ? 'transmission' : 'power'}${shown && ` (${shown})`}`;
}

export function layoutOf({ window, scale, units, narrow, width, height }) {
  const axis = (rest) => axisOfChart({ tickfont: { color: colour('ink') }, ...rest });
  // Levels follow the curves: dragging zooms the wavelength only.
  const level = (unit, rest = {}) => axis({ title: { text: titleOf(unit, scale), standoff: 6 }, autorange: true, fixedrange: true, ...rest });
  const [other = 'dBm'] = [...units].filter((unit) => unit !== 'dB');
  const left = units.has('dB') || units.size === 0 ? 'dB' : other;
  const across = scale.frequency ? 'frequency (THz)' : 'wavelength (nm)';
  return {
    width,
    height,
    margin: marginsOf({ units, narrow }),
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    font: { family: 'system-ui, sans-serif', size: narrow ? 11 : 12, color: colour('ink') },
    showlegend: false,
    // A wavelength is written without thousands.
    separators: '.',
    dragmode: byFinger ? false : 'zoom',
    hovermode: 'closest',
    hoverlabel: { bgcolor: colour('panel'), bordercolor: colour('line'), font: { color: colour('ink') } },
    modebar: { bgcolor: 'rgba(0,0,0,0)', color: colour('dim'), activecolor: colour('accent') },
    xaxis: axis({ title: { text: across, standoff: 6 }, range: endsOf(window, scale), autorange: false, nticks: narrow ? 5 : 0 }),
    yaxis: level(left),
    ...(hasTwoAxes(units) && { yaxis2: level(other, { overlaying: 'y', side: 'right', showgrid: false }) }),
  };
}

/** A curve as Plotly draws it. Pinned curves are dashed. */
export function curveOf({ trace, slot, view, pinned, label }, units, scale) {
  const name = label ?? nameOf(trace);
  return {
    type: 'scatter',
    mode: view.x.length < 300 ? 'lines+markers' : 'lines',
    name,
    meta: { trace: trace.trace_index, pinned },
    x: scale.frequency ? view.x.map((nm) => xOf(nm, scale)) : view.x,
    y: scale.linear ? view.y.map((level) => levelOf(level, scale)) : view.y,
    yaxis: axisOf(trace.unit, units),
    connectgaps: false,
    line: { color: curveColour(slot), width: 1.4, dash: pinned ? 'dash' : 'solid' },
    marker: { color: curveColour(slot), size: 4 },
    hovertemplate: `${escaped(name)}<br>%{x:.4f} ${axisUnit(scale)}<br>%{y:.4~g} ${unitOf(trace.unit, scale)}<extra></extra>`,
  };
}

/** A name in a text of Plotly, which reads some tags and its own braces there. */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('%{', '%&#123;');
