// @ts-check
// What things are called for people. The program makes the same names; `tests/page/names.json` is for both.

/** A detector by its name in the recipe, or as `module/channel`. */
export const detectorOf = ({ detector, detector_name: name }) => name ?? detector;

/** Whether the name of a trace only repeats its loop variables, such as `ring_-5dBm` in the loop `power -5 dBm`. */
const repeatsTurns = (name, turns) => turns.length > 0 && turns.every((turn) => !turn.startsWith('turn ') && name.includes(turn.split(/[= ]/)[1] ?? ''));

/** The name of a trace: `through · power -5 dBm`. */
export function nameOf(trace) {
  const { trace: kind, name = '', turns = [], attempt } = trace;
  const parts = [kind === 'tf' ? detectorOf(trace) : `${detectorOf(trace)} ${kind}`, ...turns];
  if (name !== '' && !repeatsTurns(name, turns)) parts.push(name);
  if (attempt > 1) parts.push(`attempt ${attempt}`);
  return parts.join(' \u00b7 ');
}
