/** Credentials for the stand-in server: enough of them to work on the page. */
import { createHash, randomBytes } from "node:crypto";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const HEX = /^([0-9a-f]{2})+$/i;

export class Credentials {
  #all = new Map();
  #last = 0;
  #authorities = [];
  #own = { publicKey: "3059301306072a8648ce3d020106082a8648ce3d030107034200" + "04".repeat(65), createdAt: Date.now() / 1000 };
  #refuse;

  /** `refuse(status, title, detail)` makes an error to throw. */
  constructor(refuse) {
    this.#refuse = refuse;
  }

  own() {
    const { publicKey, createdAt } = this.#own;
    return { publicKey, publicKeyPem: "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", sha256: sha256(publicKey), certificates: null, createdAt };
  }

  authorities() {
    return { items: this.#authorities, next: null };
  }

  trust({ certificate }) {
    if (!certificate.includes("BEGIN CERTIFICATE")) throw this.#refuse(400, "Bad credential", "Certificate: this is no PEM.");
    const time = Date.now() / 1000;
    const one = { id: String(++this.#last), name: "Dunlin test authority", certificate, sha256: sha256(certificate), notBefore: time, notAfter: time + 1e8, createdAt: time };
    this.#authorities.push(one);
    return { items: [one], next: null };
  }

  distrust(id) {
    this.#authorities = this.#authorities.filter((one) => one.id !== id);
  }

  page(params) {
    const q = (params.get("q") ?? "").toLowerCase();
    const limit = Number(params.get("limit") ?? 100);
    const from = Number(params.get("cursor") ?? 0);
    const all = [...this.#all.values()].filter((one) => `${one.endpoint}\n${one.psk?.identity ?? ""}`.toLowerCase().includes(q));
    all.sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
    const next = from + limit < all.length ? String(from + limit) : null;
    return { items: all.slice(from, from + limit), next, total: all.length };
  }

  create(body, id = null) {
    const before = id === null ? null : this.get(id);
    const made = this.#made(before, body);
    const credential = {
      id: before?.id ?? String(++this.#last), ...made.shown, revision: (before?.revision ?? -1) + 1,
      createdAt: before?.createdAt ?? Date.now() / 1000, rotatedAt: before ? Date.now() / 1000 : null,
    };
    this.#all.set(credential.id, credential);
    const psk = made.key ? { ...credential.psk, key: made.key } : credential.psk;
    return { ...credential, ...(psk ? { psk } : {}), ...(made.warning ? { warning: made.warning } : {}) };
  }

  get(id) {
    const found = this.#all.get(id);
    if (!found) throw this.#refuse(404, "Unknown credential", `There is no credential "${id}".`);
    return found;
  }

  remove(id) {
    this.get(id);
    this.#all.delete(id);
  }

  /** CSV of endpoint,identity,key. */
  import(text) {
    const report = { imported: 0, failed: 0, lines: [] };
    for (const [index, row] of text.split("\n").entries()) {
      const [endpoint, identity, key] = row.trim().split(",");
      if (!endpoint || (index === 0 && endpoint === "endpoint")) continue;
      const line = index + 1;
      try {
        const made = this.create({ endpoint, psk: { identity: identity || undefined, key: key || undefined } });
        report.lines.push({ line, ok: true, id: made.id, endpoint, ...(made.psk.key ? { key: made.psk.key } : {}) });
        report.imported += 1;
      } catch (error) {
        report.lines.push({ line, ok: false, error: error.body?.detail ?? String(error) });
        report.failed += 1;
      }
    }
    return report;
  }

  #made(before, body) {
    const endpoint = before?.endpoint ?? body.endpoint;
    if (!body.psk) {
      const key = body.rpk?.publicKey ?? "";
      if (!HEX.test(key)) throw this.#refuse(400, "Bad credential", "Rpk.publicKey: neither PEM, hexadecimal digits nor base64.");
      return { shown: { endpoint, mode: "rpk", rpk: { publicKey: key, sha256: sha256(key) } } };
    }
    const identity = body.psk.identity ?? before?.psk.identity ?? endpoint;
    const other = [...this.#all.values()].find((one) => one.psk?.identity === identity && one.id !== before?.id);
    if (other) throw this.#refuse(409, "In use already", `This PSK identity is that of credential ${other.id} of "${other.endpoint}" already.`);
    if (body.psk.key && !HEX.test(body.psk.key)) throw this.#refuse(400, "Bad credential", "Psk.key: this is no hexadecimal digit.");
    const drawn = body.psk.key ? undefined : randomBytes(16).toString("hex");
    const keyBytes = (body.psk.key ?? drawn).length / 2;
    const warning = keyBytes < 16 ? `the key has ${keyBytes} bytes; fewer than 16 can be guessed` : undefined;
    return { shown: { endpoint: endpoint ?? identity, mode: "psk", psk: { identity, identityHex: Buffer.from(identity).toString("hex"), keyBytes } }, key: drawn, warning };
  }
}
