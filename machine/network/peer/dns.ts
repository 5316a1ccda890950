/** The name server (RFC 1035 §4): it knows one host, by two names, and that there are no others. */
import { GATEWAY } from "./addresses.ts";
import { headerLayout } from "./big_endian.ts";
import { type Datagram, replyTo } from "./udp.ts";

/** The port of name servers. */
export const DNS_PORT = 53;

/** The names of the peer, in lower case. */
const NAMES: readonly string[] = ["hindsight", "peer.hindsight"];

/** How long an answer holds, in seconds: for ever, but guests dislike such numbers. */
const ANSWER_SECONDS = 86_400;

const header = headerLayout({ id: 2, flags: 2, questions: 2, answers: 2, authorities: 2, additions: 2 });
const questionEnd = headerLayout({ type: 2, class: 2 });
const answer = headerLayout({ name: 2, type: 2, class: 2, seconds: 4, length: 2, address: 4 });

const RESPONSE = 0x8000;
const OPERATION = 0x7800;
const AUTHORITATIVE = 0x0400;
const RECURSION_DESIRED = 0x0100;
const RECURSION_AVAILABLE = 0x0080;

const CODES = { success: 0, formatError: 1, noSuchName: 3, notImplemented: 4 } as const;
const TYPES = { address: 1, any: 255 } as const;
const CLASSES = { internet: 1, any: 255 } as const;
/** A name that stands where the question's does. */
const NAME_OF_QUESTION = 0xc000 + header.size;
const LABEL_MAX = 63;
const NAME_MAX = 255;

/** The name at `at`, in lower case, and where it ends; undefined when it is damaged or compressed. */
function parseName(bytes: Uint8Array, at: number): { name: string; end: number } | undefined {
  const labels: string[] = [];
  for (let offset = at; offset - at < NAME_MAX;) {
    const length = bytes[offset];
    if (length === undefined || length > LABEL_MAX || offset + length >= bytes.length) return undefined;
    if (length === 0) return { name: labels.join(".").toLowerCase(), end: offset + 1 };
    labels.push(String.fromCharCode(...bytes.subarray(offset + 1, offset + 1 + length)));
    offset += 1 + length;
  }
  return undefined;
}

/** The code of the answer to a question, and whether an address is in it. */
function resolve(name: string, type: number, inClass: number): { code: number; hasAddress: boolean } {
  const isInternet = inClass === CLASSES.internet || inClass === CLASSES.any;
  if (!isInternet || !NAMES.includes(name)) return { code: CODES.noSuchName, hasAddress: false };
  return { code: CODES.success, hasAddress: type === TYPES.address || type === TYPES.any };
}

/** Answers a query; undefined when it is none, or too damaged to have an answer. */
export function answerDns(datagram: Datagram): Datagram | undefined {
  const { payload } = datagram;
  const query = header.read(payload);
  if (query === undefined || (query.flags & RESPONSE) !== 0) return undefined;
  const respond = (code: number, question: Uint8Array, ...records: Uint8Array[]): Datagram => {
    const kept = query.flags & (OPERATION | RECURSION_DESIRED);
    const fields = {
      id: query.id,
      flags: RESPONSE | AUTHORITATIVE | RECURSION_AVAILABLE | kept | code,
      questions: question.length === 0 ? 0 : 1,
      answers: records.length,
      authorities: 0,
      additions: 0,
    };
    return replyTo(datagram, header.build(fields, question, ...records));
  };
  const nothing = new Uint8Array(0);
  if ((query.flags & OPERATION) !== 0) return respond(CODES.notImplemented, nothing);
  const parsed = query.questions === 1 ? parseName(payload, header.size) : undefined;
  const asked = parsed && questionEnd.read(payload, parsed.end);
  if (parsed === undefined || asked === undefined) return respond(CODES.formatError, nothing);
  const question = payload.subarray(header.size, parsed.end + questionEnd.size);
  const { code, hasAddress } = resolve(parsed.name, asked.type, asked.class);
  if (!hasAddress) return respond(code, question);
  const fields = {
    name: NAME_OF_QUESTION,
    type: TYPES.address,
    class: CLASSES.internet,
    seconds: ANSWER_SECONDS,
    length: 4,
    address: GATEWAY,
  };
  return respond(code, question, answer.build(fields));
}
