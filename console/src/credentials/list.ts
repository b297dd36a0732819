import { batch, signal } from "@preact/signals";
import { api, asProblem, type Problem } from "../api/client.ts";
import type { Credential } from "../api/types.ts";
import { pageSize } from "../lib/settings.ts";

/** One page of the credentials. Nothing tells of changes of others; what is done here loads it anew. */
export class CredentialList {
  readonly items = signal<Credential[] | null>(null);
  readonly total = signal(0);
  readonly next = signal<string | null>(null);
  readonly problem = signal<Problem | null>(null);
  readonly loading = signal(true);
  /** The cursors that led here; an empty list means the first page. */
  readonly cursors = signal<string[]>([]);
  private q: string;
  private request: AbortController | null = null;

  constructor(q: string) {
    this.q = q;
    void this.load();
  }

  end(): void {
    this.request?.abort();
  }

  search(q: string): void {
    if (q === this.q) return;
    this.q = q;
    this.cursors.value = [];
    void this.load();
  }

  forward(): void {
    const next = this.next.value;
    if (!next) return;
    this.cursors.value = [...this.cursors.value, next];
    scrollTo(0, 0);
    void this.load();
  }

  back(): void {
    this.cursors.value = this.cursors.value.slice(0, -1);
    scrollTo(0, 0);
    void this.load();
  }

  async load(): Promise<void> {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.loading.value = true;
    try {
      const cursor = this.cursors.value.at(-1) ?? null;
      const page = await api.credentials(this.q.trim(), Number(pageSize.value), cursor, request.signal);
      if (request.signal.aborted) return;
      batch(() => {
        this.items.value = page.items;
        this.total.value = page.total ?? page.items.length;
        this.next.value = page.next;
        this.problem.value = null;
        this.loading.value = false;
      });
    } catch (error) {
      if (request.signal.aborted) return;
      batch(() => {
        this.problem.value = asProblem(error);
        this.loading.value = false;
      });
    }
  }
}
