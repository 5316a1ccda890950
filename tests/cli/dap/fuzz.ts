/** Malformed messages, and requests with arguments that nobody would send. */
import type { DapSession } from "../../../cli/dap/session.ts";
import { seededRandom } from "../../journal/support.ts";
import { encodeMessage } from "../../../cli/dap/framing.ts";
import { ARGUMENTS } from "../../../cli/dap/protocol.ts";

/** Numbers from 0 up to 1. */
export type Random = () => number;

/** Numbers that a seed gives. */
export function fractions(seed: number): Random {
  const random = seededRandom(seed);
  return () => random(2 ** 30) / 2 ** 30;
}

const COMMANDS = [...Object.keys(ARGUMENTS), "restart", "__proto__", "constructor", ""];

/** Names of arguments, so that values get past the schemas. */
const NAMES = [
  "threadId",
  "frameId",
  "variablesReference",
  "memoryReference",
  "count",
  "offset",
  "instructionOffset",
  "instructionCount",
  "expression",
  "context",
  "run",
  "stopAt",
  "symbols",
  "breakpoints",
  "filters",
  "targetId",
  "instant",
  "source",
  "line",
  "name",
  "asAddress",
  "bytes",
  "sourceReference",
  "startFrame",
  "levels",
  "start",
] as const;

const WORDS = [
  "",
  "run",
  "x0",
  "sp",
  "pc",
  "cell",
  "0x",
  "0xffffffffffffffff",
  "-1",
  "x0 + 1",
  "load(0, 8)",
  "memory(-1, 8)",
  "((((",
  'register("x99")',
  '"',
  "seek 5",
  "seek -1",
  "events 3",
  "root",
  "virtual:0x0:8",
  "phys:0x40000000,8",
  "repl",
  "{}",
  "💥",
  "%5",
  "dataAbort",
  "main",
  "x0 == 1",
  "instant > 3",
  "a".repeat(300),
];

const NUMBERS = [0, 1, 2, 3, -1, 8, 40, 1000, 4097, 0.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e300, NaN];

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

function value(random: Random, depth = 0): unknown {
  const kind = Math.floor(random() * (depth > 2 ? 6 : 9));
  if (kind < 3) return pick(random, NUMBERS);
  if (kind < 5) return pick(random, WORDS);
  if (kind === 5) return pick(random, [null, true, false, []]);
  if (kind === 6) return Array.from({ length: Math.floor(random() * 4) }, () => value(random, depth + 1));
  return object(random, depth + 1);
}

function object(random: Random, depth: number): Record<string, unknown> {
  const fields = ["instructionReference", "dataId", "accessType", "condition", "hitCondition", ...NAMES];
  return Object.fromEntries(
    Array.from({ length: Math.floor(random() * 6) }, () => [pick(random, fields), value(random, depth)]),
  );
}

/** Mostly what a request wants, so that it is carried out. */
function likely(random: Random): Record<string, unknown> {
  const number = () => pick(random, [0, 1, 2, 3, 5, 17, 100]), word = () => pick(random, WORDS);
  const point = () => ({
    name: word(),
    line: number(),
    instructionReference: word(),
    dataId: pick(random, ["virtual:0x40080180:8", "physical:0x40080180:4", word()]),
    condition: random() < 0.3 ? word() : undefined,
    hitCondition: random() < 0.2 ? word() : undefined,
  });
  const given: Record<string, unknown> = {
    breakpoints: Array.from({ length: Math.floor(random() * 4) }, point),
    filters: [word(), pick(random, ["undefined", "supervisorCall", "interrupt"])],
    source: { sourceReference: number() },
    run: random() < 0.9 ? "run" : word(),
    stopAt: pick(random, [undefined, number(), word()]),
  };
  for (const name of NAMES) {
    if (name in given) continue;
    given[name] =
      /Reference$|^(expression|context|name|symbols)$/.test(name) && name !== "variablesReference" &&
        name !== "sourceReference"
        ? word()
        : number();
  }
  if (random() < 0.3) given[pick(random, NAMES)] = value(random);
  return given;
}

function request(random: Random): Uint8Array {
  const args = random() < 0.7 ? likely(random) : value(random);
  const message: Record<string, unknown> = {
    seq: random() < 0.95 ? Math.floor(random() * 1000) : value(random),
    type: random() < 0.95 ? "request" : pick(random, ["event", "response", 5]),
    command: random() < 0.97 ? pick(random, COMMANDS) : value(random),
    arguments: args,
  };
  return encodeMessage(message);
}

/** Bytes that are hardly a message. */
function damaged(random: Random): Uint8Array {
  const bytes = request(random).slice();
  const flips = 1 + Math.floor(random() * 3);
  for (let flip = 0; flip < flips; flip++) {
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  }
  return random() < 0.3 ? bytes.slice(0, Math.floor(random() * bytes.length)) : bytes;
}

/**
 * Sends so many messages to sessions, a new one whenever one has closed; lets each work a little in between. Gives how
 * many have closed. Whatever is thrown is a defect.
 */
export function fuzzSessions(
  count: number,
  random: Random,
  open: () => DapSession,
): { readonly closed: number } {
  let session = open(), closed = 0;
  for (let sent = 0; sent < count; sent++) {
    session.receive(random() < 0.85 ? request(random) : damaged(random));
    for (let slice = Math.floor(random() * 4); slice > 0 && session.isBusy; slice--) session.advance();
    if (session.isClosed || random() < 0.002) {
      closed++;
      session.close();
      session = open();
    }
  }
  session.close();
  return { closed };
}
