import { effect, signal, type Signal } from "@preact/signals";

/** A choice that is remembered in this browser. Storage may be forbidden: then it lasts as long as the page. */
export function remembered(key: string, fallback: string): Signal<string> {
  const name = "dunlin." + key;
  let start = fallback;
  try {
    start = localStorage.getItem(name) ?? fallback;
  } catch {
    // Private modes throw; the default is fine.
  }
  const choice = signal(start);
  effect(() => {
    const value = choice.value;
    try {
      if (value === fallback) localStorage.removeItem(name);
      else localStorage.setItem(name, value);
    } catch {
      // As above.
    }
  });
  return choice;
}

export const theme = remembered("theme", "auto");
export const pageSize = remembered("page-size", "50");
/** Read an object when it is opened. Devices in queue mode are left asleep whatever this says. */
export const readOnOpen = remembered("read-on-open", "yes");
export const readFormat = remembered("read-format", "");
export const readTimeout = remembered("read-timeout", "");

effect(() => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});
