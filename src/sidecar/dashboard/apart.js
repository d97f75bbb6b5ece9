// @ts-check
// Labels that are too close to be read are moved apart.

/**
 * The places of labels, px, at least `least` apart and between `low` and `high`. The order stays, and a label that is far from
 * the others stays where it is.
 * @param {number[]} places
 * @returns {number[]}
 */
export function apart(places, least, low, high) {
  const order = places.map((_, label) => label).sort((a, b) => places[a] - places[b]);
  const moved = order.map((label) => Math.min(high, Math.max(low, places[label])));
  // From the lowest label upwards, and back from the end of the space.
  for (let at = 1; at < moved.length; at += 1) moved[at] = Math.max(moved[at], moved[at - 1] + least);
  for (let at = moved.length - 1, end = high; at >= 0; at -= 1, end -= least) moved[at] = Math.min(moved[at], end);
  return places.map((_, label) => moved[order.indexOf(label)]);
}
