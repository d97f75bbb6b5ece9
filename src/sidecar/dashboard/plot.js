// @ts-check
// Plotly, loaded when a chart is needed, and the dress of the spectrum.
//
// Curves are SVG: a window has a few thousand points at most, and the WebGL traces would need a policy that allows
// code to be made out of text.

import { colour, curveColour } from './theme.js';

let loading = null;

export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = '/assets/plotly.js';
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

// Touching the plot scrolls the page; the buttons above it zoom.
const byFinger = matchMedia('(pointer: coarse)').matches;

export const CONFIG = {
  displaylogo: false,
  showTips: false,
  displayModeBar: byFinger ? false : 'hover',
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d', 'resetScale2d', 'zoomIn2d', 'zoomOut2d', 'toggleSpikelines'],
  doubleClick: false,
  responsive: true,
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

export function layoutOf({ window, ranges, units, narrow }) {
  const axis = (unit, rest) => ({
    title: { text: unit === 'dB' ? 'transmission (dB)' : 'power (dBm)', standoff: 6 },
    color: colour('dim'),
    gridcolor: colour('grid'),
    linecolor: colour('line'),
    zeroline: false,
    exponentformat: 'none',
    tickfont: { color: colour('ink') },
    ...rest,
  });
  const left = units.has('dB') || units.size === 0 ? 'dB' : 'dBm';
  const y = (range) => (range ? { range: [...range], autorange: false } : { autorange: true });
  return {
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
    xaxis: axis('', { title: { text: 'wavelength (nm)', standoff: 6 }, range: [window.from, window.to], autorange: false, nticks: narrow ? 5 : 0 }),
    yaxis: axis(left, y(ranges.y)),
    ...(hasTwoAxes(units) && { yaxis2: axis('dBm', { overlaying: 'y', side: 'right', showgrid: false, ...y(ranges.y2) }) }),
  };
}

export function curveOf({ trace, slot, view }, units) {
  return {
    type: 'scatter',
    mode: view.x.length < 300 ? 'lines+markers' : 'lines',
    name: `#${trace.trace_index}`,
    x: view.x,
    y: view.y,
    yaxis: axisOf(trace.unit, units),
    connectgaps: false,
    line: { color: curveColour(slot), width: 1.4 },
    marker: { color: curveColour(slot), size: 4 },
    hovertemplate: `#${trace.trace_index} ${trace.detector}<br>%{x:.4f} nm<br>%{y:.3f} ${trace.unit}<extra></extra>`,
  };
}
