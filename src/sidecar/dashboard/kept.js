// @ts-check
// Choices that stay on this computer. A browser that keeps nothing is as good.

/** A choice that was kept; an empty object if there is none. */
export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(`ctp10.${name}`) ?? '{}') ?? {};
  } catch {
    return {};
  }
}

export function remember(name, choice) {
  try {
    localStorage.setItem(`ctp10.${name}`, JSON.stringify(choice));
  } catch {
    // Not kept, then.
  }
}
