import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { api, Problem } from "../api/client.ts";
import type { Model, ModelSummary } from "../api/types.ts";

/** Object definitions: the names of all, and the resources of those that are looked at. Fetched once each. */

const summaries = signal<ModelSummary[]>([]);
let asked = false;

const byId = computed(() => new Map(summaries.value.map((m) => [m.id, m])));

export function objectName(id: number): string | null {
  if (!asked) {
    asked = true;
    api.models().then(
      (page) => (summaries.value = page.items),
      // Without names the pages still work, with numbers; ask again at the next look.
      () => (asked = false),
    );
  }
  return byId.value.get(id)?.name ?? null;
}

/** undefined while it loads, null when the server has no definition. */
export type Lookup = Model | null | undefined;

const models = new Map<string, Signal<Lookup>>();

export function objectModel(id: number, version: string | null | undefined): ReadonlySignal<Lookup> {
  const key = `${id}:${version ?? ""}`;
  let found = models.get(key);
  if (!found) {
    found = signal<Lookup>(undefined);
    models.set(key, found);
    void load(id, version ?? null, found, key);
  }
  return found;
}

async function load(id: number, version: string | null, into: Signal<Lookup>, key: string): Promise<void> {
  try {
    into.value = await api.model(id, version).catch((error: unknown) => {
      // A definition of another version beats none.
      if (version !== null && error instanceof Problem && error.status === 404) return api.model(id, null);
      throw error;
    });
  } catch (error) {
    into.value = null;
    if (!(error instanceof Problem && error.status === 404)) models.delete(key);
  }
}
