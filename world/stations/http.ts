/** HTTP/1.1 messages (RFC 9112) of nodes in TypeScript: one to a connection, bodies by Content-Length or to the end. */

/** A message as far as it is there. */
export interface HttpMessage {
  /** Request or status line. */
  readonly first: string;
  /** Values by name in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  /** Where the body begins. */
  readonly body: number;
  /** Bytes of the body that are announced; undefined where its end is that of the connection. */
  readonly length: number | undefined;
}

/** Most bytes of a head. */
export const MOST_HEAD = 8192;

const encoder = new TextEncoder(), decoder = new TextDecoder();

/** Reads the head; undefined while it is not complete, "bad" for what is none. */
export function parseMessage(bytes: Uint8Array): HttpMessage | "bad" | undefined {
  const text = decoder.decode(bytes.subarray(0, MOST_HEAD)), end = text.indexOf("\r\n\r\n");
  if (end < 0) return bytes.length >= MOST_HEAD ? "bad" : undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) return "bad";
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const announced = fields.get("content-length");
  if (announced !== undefined && !/^\d{1,12}$/.test(announced)) return "bad";
  const isRequest = !first.startsWith("HTTP/");
  const length = announced === undefined ? (isRequest ? 0 : undefined) : Number(announced);
  return { first, fields, body: encoder.encode(text.slice(0, end)).length + 4, length };
}

/** A status line's code, or 0. */
export function statusOf({ first }: HttpMessage): number {
  return Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0);
}

/** A message with a body; Connection is close. */
export function buildMessage(
  first: string,
  fields: Readonly<Record<string, string>>,
  body: Uint8Array = new Uint8Array(0),
): Uint8Array<ArrayBuffer> {
  const all = { ...fields, "Content-Length": String(body.length), Connection: "close" };
  const head = encoder.encode(
    `${first}\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
  );
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** An `http://ADDRESS[:PORT]/PATH`; undefined for anything else. */
export function parseUri(text: string): { host: string; port: number; path: string } | undefined {
  const [, host, port, path] = /^http:\/\/([0-9.]{7,15})(?::(\d{1,5}))?(\/[!-~]{0,1024})$/i.exec(text) ?? [];
  if (host === undefined || path === undefined) return undefined;
  const number = port === undefined ? 80 : Number(port);
  return number > 0 && number < 65536 ? { host, port: number, path } : undefined;
}
