/** Opaque values travel as base64; people read them as hex. */

export function bytesToBase64(bytes: Uint8Array): string {
  let text = "";
  // In pieces: spreading a whole firmware image overflows the argument list.
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** The bytes, or null when the text is not base64. Accepts the URL alphabet, missing padding and white space. */
export function base64ToBytes(text: string): Uint8Array | null {
  const plain = text.replace(/\s+/g, "").replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "");
  if (!/^[A-Za-z0-9+/]*$/.test(plain) || plain.length % 4 === 1) return null;
  const padded = plain + "=".repeat((4 - (plain.length % 4)) % 4);
  return Uint8Array.from(atob(padded), (c) => c.charCodeAt(0));
}

export function bytesToHex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** The bytes, or null when the text is not hex. Accepts `0x`, spaces and colons. */
export function hexToBytes(text: string): Uint8Array | null {
  const plain = text.replace(/^\s*0x/i, "").replace(/[\s:]+/g, "");
  if (plain.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(plain)) return null;
  return Uint8Array.from(plain.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
