/** What is done for each packet: a table from its name to its handler. */
import type { PhysicalAddress } from "../../machine/address.ts";
import { lookUpAddress, peekMemory, peekPhysical } from "../../machine/debugger_memory.ts";
import { hex } from "../../machine/address.ts";
import type { PointRequest } from "./breakpoints.ts";
import { EDITS, refuseJump } from "./editing.ts";
import { latin1, PACKET_SIZE, toHex } from "../../machine/debugger_packets.ts";
import { hexNumber, threadOf } from "./packet_fields.ts";
import { QUERIES } from "./queries.ts";
import type { Answer, GdbSession, Handler } from "./session.ts";
import { stopReply } from "./stop_reply.ts";
import type { Wish } from "./target.ts";

const NO_THREAD = "There is no such thread: threads are CPUs, numbered from 1";

function selectThread(session: GdbSession, rest: string): string {
  const thread = threadOf(session, rest.slice(1));
  if (thread === undefined || !"cg".includes(rest[0] ?? " ")) return session.error(NO_THREAD);
  if (rest[0] === "c") session.stepped = typeof thread === "number" ? thread : undefined;
  else if (typeof thread === "number") session.selected = session.meant = thread;
  return "OK";
}

/** Bytes that can be read at an address, perhaps fewer than wanted; an error when there is none. */
function readMemory(session: GdbSession, rest: string, most: number): Uint8Array | string {
  const [, digits, length] = /^([0-9a-f]{1,16}),([0-9a-f]{1,8})$/i.exec(rest) ?? [];
  const address = hexNumber(digits);
  if (address === undefined || length === undefined) return session.shortError("m takes ADDRESS,LENGTH");
  const size = Math.min(parseInt(length, 16), most);
  const { cpu } = session;
  const bytes = session.isPhysical
    ? address < 2n ** 52n
      ? peekPhysical(cpu, { physical: Number(address) as PhysicalAddress, secure: true }, size)
      : new Uint8Array()
    : peekMemory(cpu, address, size);
  return bytes.length > 0 || size === 0 ? bytes : session.shortError(whyUnreadable(session, address));
}

function whyUnreadable({ cpu, isPhysical }: GdbSession, address: bigint): string {
  const place = isPhysical ? undefined : lookUpAddress(cpu, address);
  if (!isPhysical && place === undefined) {
    return `Nothing is mapped at ${hex(address)} for cpu${cpu.index} at EL${cpu.el}`;
  }
  const where = place === undefined ? hex(address) : `${hex(address)}, physical ${hex(place.physical)}`;
  return `There is no memory at ${where}; devices are not read, since reading may change them`;
}

function readAsHex(session: GdbSession, rest: string): string {
  const bytes = readMemory(session, rest, PACKET_SIZE / 2 - 8);
  return typeof bytes === "string" ? bytes : toHex(bytes);
}

function readAsBytes(session: GdbSession, rest: string): string {
  // Every byte may have to be escaped.
  const bytes = readMemory(session, rest, PACKET_SIZE / 2 - 8);
  return typeof bytes === "string" ? bytes : `b${latin1(bytes)}`;
}

function readRegister(session: GdbSession, rest: string): string {
  const number = /^[0-9a-f]{1,4}$/i.test(rest) ? parseInt(rest, 16) : -1;
  return session.registers.valueOf(session.cpu, number) ?? session.error(`There is no register ${rest}`);
}

/** `c`, `s` and their forms with a signal; an address to go on from would be an edit. */
function resumeWith(wish: (session: GdbSession) => Wish, signal: boolean): Handler {
  return (session, rest) => {
    const address = signal ? rest.split(";")[1] : rest;
    const isHere = address === undefined || address === "" || hexNumber(address) === session.cpu.pc;
    return isHere ? session.resume(wish(session)) : refuseJump(session, hexNumber(address));
  };
}

const proceed = (): Wish => ({ kind: "continue" });
const step = (session: GdbSession): Wish => ({ kind: "step", cpu: session.stepped ?? session.meant });

function reverse(session: GdbSession, rest: string): Answer {
  if (session.target.timeline === undefined) {
    return session.error("There is no way back while recording: end it, then `hindsight gdb RUN`");
  }
  if (rest === "c") return session.resume({ kind: "continueBack" });
  if (rest === "s") return session.resume({ kind: "stepBack", cpu: session.stepped ?? session.meant });
  return "";
}

function pointOf(session: GdbSession, rest: string): PointRequest | undefined {
  const [, type, digits, kind] = /^([0-4]),([0-9a-f]{1,16}),([0-9a-f]{1,8})(?:;|$)/i.exec(rest) ?? [];
  const address = hexNumber(digits);
  if (address === undefined) return undefined;
  const space = session.isPhysical && Number(type) >= 2 ? "physical" : "virtual";
  return { type: Number(type), address, length: parseInt(kind!, 16), space };
}

function insertPoint(session: GdbSession, rest: string): string {
  const point = pointOf(session, rest);
  if (point === undefined) return /^[0-4],/.test(rest) ? session.error("Z takes TYPE,ADDRESS,LENGTH") : "";
  if (session.breakpoints.insert(point)) return "OK";
  return session.error(`Cannot watch ${point.length} bytes at ${hex(point.address)}`);
}

function removePoint(session: GdbSession, rest: string): string {
  const point = pointOf(session, rest);
  if (point === undefined) return /^[0-4],/.test(rest) ? session.error("z takes TYPE,ADDRESS,LENGTH") : "";
  session.breakpoints.remove(point);
  return "OK";
}

/** Packets of one letter. */
const LETTERS: Readonly<Record<string, Handler>> = {
  "?": (session) => stopReply(session),
  g: ({ registers, cpu }) => registers.generalValues(cpu),
  p: readRegister,
  m: readAsHex,
  x: readAsBytes,
  ...EDITS,
  H: selectThread,
  T: (session, rest) => typeof threadOf(session, rest) === "number" ? "OK" : session.error(NO_THREAD),
  c: resumeWith(proceed, false),
  C: resumeWith(proceed, true),
  s: resumeWith(step, false),
  S: resumeWith(step, true),
  b: reverse,
  Z: insertPoint,
  z: removePoint,
  D: (session) => session.close("OK"),
  k: (session) => session.close(),
};

/** The handler of a packet, given what follows its name; an empty answer for a packet that is not known. */
export function handlerOf(payload: string): (session: GdbSession) => Answer {
  const [, name, rest] = /^([qQv][A-Za-z.]*\??)[:;,]?(.*)$/s.exec(payload) ?? [];
  const table = name === undefined ? LETTERS : QUERIES;
  const key = name ?? payload.slice(0, 1);
  const handler = Object.hasOwn(table, key) ? table[key]! : () => "";
  return (session) => handler(session, rest ?? payload.slice(1));
}
