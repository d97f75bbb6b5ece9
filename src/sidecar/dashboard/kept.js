// @ts-check
// Choices that stay: on this computer, or in this tab until it is closed. A browser that keeps nothing is as good.

/**
 * A choice that was kept; an empty object if there is none.
 *
 * @param {string} name
 * @param {() => Storage} [where]
 */
export function recall(name, where = () => localStorage) {
  try {
    return JSON.parse(where().getItem(`ctp10.${name}`) ?? '{}') ?? {};
  } catch {
    return {};
  }
}

/**
 * @param {string} name
 * @param {any} choice
 * @param {() => Storage} [where]
 */
export function remember(name, choice, where = () => localStorage) {
  try {
    where().setItem(`ctp10.${name}`, JSON.stringify(choice));
  } catch {
    // Not kept, then.
  }
}
