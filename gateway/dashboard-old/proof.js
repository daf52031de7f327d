// Verifies the history of a run in the browser: the hash of each event, the hash chain, and the seal. The formulas are those
// of schema/src/log/chain.rs, merkle.rs and seal.rs.

const HEADER = ['eventId', 'tenantId', 'streamId', 'version', 'type', 'schemaVersion', 'recordedAtMicros', 'commandId', 'correlationId', 'causationId', 'actor'];

const utf8 = (text) => new TextEncoder().encode(text);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const number = (n) => unhex(BigInt(n).toString(16).padStart(16, '0'));

async function sha256(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) whole.set(part, at), at += part.length;
  return new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
}

/** RFC 8785, the bytes that were hashed: what JSON.stringify writes, the fields in order. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

async function eventHash(event) {
  const header = HEADER.map((field) => event[field] ?? '').join('\x1f');
  const parts = await Promise.all([header, canonical(event.data), canonical(event.metadata)].map((text) => sha256(utf8(text))));
  return hex(await sha256(Uint8Array.of(1), unhex(event.previousHash), ...parts));
}

/** Checks the events of one stream from version 1 on; throws at the first that does not match. */
export class Chain {
  version = 0;
  hash = '0'.repeat(64);

  async follow(event) {
    const at = this.version + 1;
    const broken = (why) => Object.assign(new Error(`Broken at #${at}: ${why}`), { version: at });
    if (event.version !== at) throw broken(`found version ${event.version} instead`);
    if (event.previousHash !== this.hash) throw broken('its previous hash is not the hash of the event before it');
    if (await eventHash(event) !== event.hash) throw broken('its bytes do not match its hash');
    this.version = at;
    this.hash = event.hash;
  }
}

async function rootBy(leaf, index, leaves, path) {
  if (leaves === 1) return path.length ? null : leaf;
  if (!path.length) return null;
  const beside = unhex(path[path.length - 1]), below = path.slice(0, -1);
  const split = 2 ** (Math.ceil(Math.log2(leaves)) - 1);
  const here = index < split ? await rootBy(leaf, index, split, below) : await rootBy(leaf, index - split, leaves - split, below);
  if (!here) return null;
  return index < split ? sha256(Uint8Array.of(1), here, beside) : sha256(Uint8Array.of(1), beside, here);
}

/** Checks that the seal covers the event and that its signature is valid. Returns `signed`, or `unsigned` in a browser without Ed25519. */
export async function underSeal({ position, hash, path, seal }) {
  const leaf = await sha256(Uint8Array.of(0), number(position), unhex(hash));
  const root = await rootBy(leaf, position - seal.fromPosition, seal.toPosition - seal.fromPosition + 1, path);
  if (!root || hex(root) !== seal.root) throw new Error('The seal does not cover this history.');
  const numbers = [seal.sealId, seal.fromPosition, seal.toPosition, seal.sealedAtMicros].map(number);
  const sealHash = await sha256(Uint8Array.of(2), unhex(seal.previousHash), ...numbers, unhex(seal.root));
  if (hex(sealHash) !== seal.sealHash) throw new Error('The hash of the seal does not match its content.');
  let key;
  try {
    key = await crypto.subtle.importKey('raw', unhex(seal.publicKey), 'Ed25519', false, ['verify']);
  } catch {
    return 'unsigned';
  }
  if (!await crypto.subtle.verify('Ed25519', key, unhex(seal.signature), sealHash)) throw new Error("The signature of the seal is not valid.");
  return 'signed';
}
