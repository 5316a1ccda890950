/** Packets of the GDB remote protocol by their letters or names, and what the stub does at each (GDB manual, appendix E). */
import { PACKET_SIZE, toHex } from "../../../machine/debugger_packets.ts";
import type { Vcpu } from "../../vcpu.ts";
import { generalText, registerText, setGeneral, setRegister, targetDescription } from "./gdb_registers.ts";
import type { GdbStub } from "./gdb_stub.ts";

/** Answers of packets that have nothing to tell. */
export const ERROR = "E01", OK = "OK";

/** A number as packets have it. */
export const hexNumber = (digits: string | undefined): bigint | undefined =>
  digits !== undefined && /^[0-9a-f]{1,16}$/i.test(digits) ? BigInt(`0x${digits}`) : undefined;

/** What a packet is answered with; nothing where the answer comes when the guest stops. */
export type Answer = string | undefined;
type Handler = (stub: GdbStub, vcpu: Vcpu, rest: string) => Answer;

/** By the packet's letter, or name. */
// deno-fmt-ignore
const PACKETS: Readonly<Record<string, Handler>> = {
  "?": (stub) => stub.stopReply(),
  g: (stub, vcpu) => generalText(stub.cpu(vcpu)),
  G: (stub, vcpu, rest) => setGeneral(stub.cpu(vcpu), rest) ? OK : ERROR,
  p: (stub, vcpu, rest) => registerText(stub.cpu(vcpu), parseInt(rest, 16)) ?? ERROR,
  P: (stub, vcpu, rest) => setRegister(stub.cpu(vcpu), parseInt(rest, 16), rest.slice(rest.indexOf("=") + 1)) ? OK : ERROR,
  m: (stub, vcpu, rest) => stub.memory.read(vcpu, stub.selected, rest),
  M: (stub, vcpu, rest) => stub.memory.write(vcpu, stub.selected, rest),
  H: (stub, _vcpu, rest) => stub.select(rest),
  T: (stub, _vcpu, rest) => stub.threadOf(rest) === undefined ? ERROR : OK,
  c: (stub, vcpu, rest) => stub.proceed(vcpu, rest),
  C: (stub, vcpu, rest) => stub.proceed(vcpu, rest.split(";")[1] ?? ""),
  s: (stub, vcpu, rest) => stub.step(vcpu, stub.stepThread, rest),
  S: (stub, vcpu, rest) => stub.step(vcpu, stub.stepThread, rest.split(";")[1] ?? ""),
  Z: (stub, vcpu, rest) => stub.point(vcpu, rest, true),
  z: (stub, vcpu, rest) => stub.point(vcpu, rest, false),
  D: (stub, vcpu) => { stub.leave(vcpu); return OK; },
  k: (stub, vcpu) => { stub.leave(vcpu); return undefined; },
  "vCont?": () => "vCont;c;C;s;S",
  vCont: (stub, vcpu, rest) => stub.continueEach(vcpu, rest),
  vKill: (stub, vcpu) => { stub.leave(vcpu); return OK; },
  qSupported: (stub, _vcpu, rest) => stub.supported(rest),
  qAttached: () => "1",
  qC: (stub) => `QC${(stub.selected + 1).toString(16)}`,
  qfThreadInfo: (stub) => `m${Array.from({ length: stub.cpus }, (_, cpu) => (cpu + 1).toString(16)).join(",")}`,
  qsThreadInfo: () => "l",
  qThreadExtraInfo: (stub, _vcpu, rest) => toHex(`CPU ${stub.threadOf(rest) ?? "?"}`),
  qSymbol: () => OK,
  qXfer: (_stub, _vcpu, rest) => transfer(rest),
  QStartNoAckMode: (stub) => { stub.acknowledges = false; return OK; },
};

function transfer(rest: string): string {
  const [, from, size] = /^features:read:target\.xml:([0-9a-f]+),([0-9a-f]+)$/i.exec(rest) ?? [];
  if (from === undefined || size === undefined) return "";
  const text = targetDescription(),
    start = parseInt(from, 16),
    end = start + Math.min(parseInt(size, 16), PACKET_SIZE - 8);
  return (end >= text.length ? "l" : "m") + text.slice(start, end);
}

/** Does what a packet says; its answer, empty for one that is not known. */
export function carryOut(stub: GdbStub, vcpu: Vcpu, payload: string): Answer {
  const [, name, rest] = /^(v[A-Z][a-z]+\??|[qQ][A-Za-z]+)[:;,]?(.*)$/s.exec(payload) ?? [];
  const key = name ?? payload.slice(0, 1);
  const handler = Object.hasOwn(PACKETS, key) ? PACKETS[key] : undefined;
  return handler === undefined ? "" : handler(stub, vcpu, rest ?? payload.slice(1));
}
