/** Packets with a name: queries, settings, and `vCont`. */
import { memoryMapXml, threadsXml, threadText } from "./description.ts";
import { hexNumber, threadOf } from "./packet_fields.ts";
import { monitorCommand } from "./monitor.ts";
import { PACKET_SIZE, textOfHex, toHex, utf8Payload } from "../../machine/debugger_packets.ts";
import type { Answer, GdbSession, Handler } from "./session.ts";
import type { Wish } from "./target.ts";

/** What is supported on every machine. */
const SUPPORTED = [
  `PacketSize=${PACKET_SIZE.toString(16)}`,
  ...["QStartNoAckMode+", "qXfer:features:read+", "qXfer:memory-map:read+", "qXfer:threads:read+"],
  ...["vContSupported+", "swbreak+", "hwbreak+", "error-message+", "binary-upload+"],
];
/** What needs a way back. */
const SUPPORTED_BACK = ["ReverseStep+", "ReverseContinue+"];

function supported(session: GdbSession, rest: string): string {
  const theirs = new Set(rest.split(";"));
  session.client.swbreak = theirs.has("swbreak+");
  session.client.hwbreak = theirs.has("hwbreak+");
  // Every gdb that offers events of threads takes texts, and shows some.
  session.client.showsTexts = theirs.has("error-message+");
  session.client.texts = session.client.showsTexts || theirs.has("QThreadEvents+");
  return [...SUPPORTED, ...session.target.timeline === undefined ? [] : SUPPORTED_BACK].join(";");
}

/** What can be read by `qXfer:OBJECT:read:ANNEX:…`. */
const OBJECTS: Readonly<Record<string, (session: GdbSession, annex: string) => string | undefined>> = {
  features: ({ registers }, annex) => annex === "target.xml" ? registers.description() : undefined,
  "memory-map": ({ target }) => memoryMapXml(target.machine),
  threads: ({ target, symbols }) => threadsXml(target.machine, symbols),
};

function transfer(session: GdbSession, rest: string): string {
  const [, object, annex, offset, length] =
    /^([a-z-]+):read:([^:]*):([0-9a-f]{1,8}),([0-9a-f]{1,8})$/i.exec(rest) ?? [];
  if (object === undefined || !Object.hasOwn(OBJECTS, object)) return "";
  const text = OBJECTS[object]!(session, annex!);
  if (text === undefined) return "E00";
  const bytes = utf8Payload(text), at = parseInt(offset!, 16);
  // Half of a packet, since every byte may have to be escaped.
  const part = bytes.slice(at, at + Math.min(parseInt(length!, 16), PACKET_SIZE / 2 - 1));
  return `${at + part.length < bytes.length ? "m" : "l"}${part}`;
}

/** `vCont;ACTION[:THREAD];…`: the first step decides; without one everything goes on. */
function resume(session: GdbSession, rest: string): Answer {
  const actions = rest.split(";").map((text) => /^([cstCSr])([^:]*)(?::(.+))?$/s.exec(text));
  if (actions.length === 0 || actions.includes(null)) return session.error("vCont takes c, s, r and t");
  let wish: Wish | undefined;
  for (const [, action, argument, thread] of actions as RegExpExecArray[]) {
    const id = thread === undefined ? "any" : threadOf(session, thread);
    if (id === undefined) return session.error(`vCont names a thread that there is not: ${thread}`);
    const cpu = typeof id === "number" ? id : session.selected;
    if (action === "r") {
      const [from, to] = argument!.split(",").map(hexNumber);
      if (from === undefined || to === undefined) return session.error("vCont;r takes START,END");
      return session.resume({ kind: "step", cpu, range: { from, to } });
    }
    if (action === "s" || action === "S") return session.resume({ kind: "step", cpu });
    if (action !== "t") wish ??= { kind: "continue" };
  }
  return wish === undefined ? "OK" : session.resume(wish);
}

function threadInfo({ target: { machine: { board: { cpus } } } }: GdbSession): string {
  return `m${cpus.map(({ index }) => (index + 1).toString(16)).join(",")}`;
}

function extraInfo(session: GdbSession, rest: string): string {
  const thread = threadOf(session, rest);
  if (typeof thread !== "number") return session.error("qThreadExtraInfo names no thread");
  return toHex(utf8Payload(threadText(session.target.machine.board.cpus[thread]!, session.symbols)));
}

function setPhysical(session: GdbSession, rest: string): string {
  if (!/^[01]$/.test(rest)) return session.error("Qqemu.PhyMemMode takes 0 or 1");
  session.isPhysical = rest === "1";
  return "OK";
}

function command(session: GdbSession, rest: string): Answer {
  const text = textOfHex(rest);
  return text === undefined ? session.error("qRcmd takes hexadecimal digits") : monitorCommand(session, text);
}

/** Packets by name. What is known and not supported is answered as what is not known: with nothing. */
export const QUERIES: Readonly<Record<string, Handler>> = {
  qSupported: supported,
  QStartNoAckMode: (session) => {
    session.acknowledges = false;
    return "OK";
  },
  qXfer: transfer,
  qC: ({ selected }) => `QC${(selected + 1).toString(16)}`,
  qfThreadInfo: threadInfo,
  qsThreadInfo: () => "l",
  qThreadExtraInfo: extraInfo,
  qAttached: () => "1",
  qRcmd: command,
  "qqemu.PhyMemMode": ({ isPhysical }) => isPhysical ? "1" : "0",
  "Qqemu.PhyMemMode": setPhysical,
  "vCont?": () => "vCont;c;C;s;S;r;t",
  vCont: resume,
  vCtrlC: () => "OK",
  vKill: (session) => session.close("OK"),
};
