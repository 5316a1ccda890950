/** The HTTP/1.1 server's half of a conversation (RFC 9110, RFC 9112): a request's bytes in, the response out. */
import type { PeerFiles } from "./files.ts";
import { HTTP_REQUEST_MAX } from "./limits.ts";

/** The server's port. */
export const HTTP_PORT = 80;

/** A response: a head, and a part of some contents after it. */
export interface HttpResponse {
  /** Status line, fields, the empty line; of an error its text, too. */
  readonly head: Uint8Array;
  /** Number of the contents in the body. */
  readonly content: number;
  /** The first of their bytes. */
  readonly start: number;
  /** How many of them. */
  readonly length: number;
  /** The server closes the connection behind it. */
  readonly closes: boolean;
  /** Bytes of the request that it answers. */
  readonly requestSize: number;
}

/** A request's head. */
interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  /** Values by name in lower case, those of one name joined by commas. */
  readonly fields: ReadonlyMap<string, string>;
  readonly size: number;
}

const REASONS = {
  200: "OK",
  206: "Partial Content",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  416: "Range Not Satisfiable",
  431: "Request Header Fields Too Large",
  505: "HTTP Version Not Supported",
} as const;
type Status = keyof typeof REASONS;

const METHODS: readonly string[] = ["GET", "HEAD"];
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ ]+) HTTP\/([0-9])\.([0-9])$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
/** `http://host` in front of a path (RFC 9112 §3.2.2). */
const ORIGIN = /^http:\/\/[^/?#]*/i;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where the empty line ends that ends a head; undefined when there is none yet. Bare line feeds end lines, too. */
function headEnd(bytes: Uint8Array): number | undefined {
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return undefined;
}

/** Reads a head; a status when it is bad. An empty line in front of it is skipped (RFC 9112 §2.2). */
function parseHead(bytes: Uint8Array): RequestHead | Status {
  const [first = "", ...lines] = decoder.decode(bytes).replace(/^\r?\n/, "").trimEnd().split(/\r?\n/);
  const [, method, target, major, minor] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined || target === undefined) return 400;
  if (major !== "1") return 505;
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined) return 400;
    const key = name.toLowerCase(), present = fields.get(key);
    fields.set(key, present === undefined ? value : `${present}, ${value}`);
  }
  return { method, target, minorVersion: Number(minor), fields, size: bytes.length };
}

/** The path of a target, decoded; undefined when it is malformed. */
function pathOf(target: string): string | undefined {
  const [path = ""] = target.replace(ORIGIN, "").split(/[?#]/);
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** A body follows the head, or the client says that it is done: this is the connection's last request. */
function isLast({ minorVersion, fields }: RequestHead): boolean {
  if (fields.has("transfer-encoding") || (fields.get("content-length") ?? "0") !== "0") return true;
  const options = (fields.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/);
  return minorVersion === 0 ? !options.includes("keep-alive") : options.includes("close");
}

/** The one range asked for, or undefined for all of it: ranges in plural are not served (RFC 9110 §14.2 allows it). */
function rangeOf(
  field: string | undefined,
  size: number,
): { start: number; length: number } | 416 | undefined {
  const [, from, to] = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/.exec(field ?? "") ?? [];
  if (from === undefined || to === undefined || from + to === "") return undefined;
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? 416 : { start: size - length, length };
  }
  const start = Number(from);
  if (to !== "" && Number(to) < start) return undefined;
  if (start >= size) return 416;
  return { start, length: (to === "" ? size : Math.min(Number(to) + 1, size)) - start };
}

function headOf(
  status: Status,
  closes: boolean,
  fields: readonly (readonly [string, string | number])[],
): string {
  const all = [...fields, ["Connection", closes ? "close" : "keep-alive"]];
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 ${status} ${REASONS[status]}\r\nServer: hindsight\r\n${lines}\r\n`;
}

interface Failure {
  readonly status: Status;
  readonly closes: boolean;
  readonly hasBody: boolean;
  readonly requestSize: number;
  readonly fields?: readonly (readonly [string, string])[];
}

function failure({ status, closes, hasBody, requestSize, fields = [] }: Failure): HttpResponse {
  const text = `${status} ${REASONS[status]}\n`;
  const head = headOf(status, closes, [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Length", text.length],
    ...fields,
  ]);
  return {
    head: encoder.encode(hasBody ? head + text : head),
    content: 0,
    start: 0,
    length: 0,
    closes,
    requestSize,
  };
}

/** Answers the request that the bytes begin with; undefined while it is not complete. */
export function answerHttp(bytes: Uint8Array, files: PeerFiles): HttpResponse | undefined {
  const size = headEnd(bytes);
  if (size === undefined) {
    if (bytes.length < HTTP_REQUEST_MAX) return undefined;
    return failure({ status: 431, closes: true, hasBody: true, requestSize: bytes.length });
  }
  const request = parseHead(bytes.subarray(0, size));
  if (typeof request === "number") {
    return failure({ status: request, closes: true, hasBody: true, requestSize: size });
  }
  const closes = isLast(request), hasBody = request.method !== "HEAD";
  const fail = (status: Status, ...fields: (readonly [string, string])[]) =>
    failure({ status, closes, hasBody, requestSize: size, fields });
  const path = pathOf(request.target);
  if (path === undefined || (request.minorVersion > 0 && !request.fields.has("host"))) return fail(400);
  if (!METHODS.includes(request.method)) return fail(405, ["Allow", METHODS.join(", ")]);
  const content = files.file(path) ?? files.folder(path);
  if (content === undefined) return fail(404);
  const { type, size: total } = files.content(content);
  const range = request.method === "GET" ? rangeOf(request.fields.get("range"), total) : undefined;
  if (range === 416) return fail(416, ["Content-Range", `bytes */${total}`]);
  const { start, length } = range ?? { start: 0, length: total };
  const head = headOf(range === undefined ? 200 : 206, closes, [
    ["Content-Type", type],
    ["Content-Length", length],
    ["Accept-Ranges", "bytes"],
    ...(range === undefined
      ? []
      : [["Content-Range", `bytes ${start}-${start + length - 1}/${total}`] as const]),
  ]);
  return {
    head: encoder.encode(head),
    content,
    start,
    length: hasBody ? length : 0,
    closes,
    requestSize: size,
  };
}
