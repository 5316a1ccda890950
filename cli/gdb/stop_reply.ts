/** Stop replies: why a machine stands still, where, and the registers that are asked for first. */
import { hexByte } from "../../machine/debugger_packets.ts";
import { EXPEDITED } from "./registers.ts";
import type { GdbSession } from "./session.ts";
import type { Stopped } from "./target.ts";

/** Signals by the protocol's numbers. */
const SIGINT = 2, SIGTRAP = 5;

/** The reason as gdb calls it; empty where it is none of its reasons. */
function reasonOf({ breakpoints, client }: GdbSession, stopped: Stopped): string {
  if (stopped.kind === "history") return `replaylog:${stopped.end};`;
  if (stopped.kind !== "hit") return "";
  const name = breakpoints.nameOf(stopped.point);
  if (name !== "swbreak" && name !== "hwbreak") return `${name}:${stopped.address.toString(16)};`;
  return client[name] ? `${name}:;` : "";
}

/** The answer to whatever made the machine move, and to `?`. */
export function stopReply(session: GdbSession): string {
  const { stopped, target: { machine }, registers } = session;
  if (stopped.kind === "exited") return `W${hexByte(stopped.code & 0xff)}`;
  const cpu = machine.board.cpus[stopped.cpu]!;
  const values = EXPEDITED.map((number) => `${hexByte(number)}:${registers.valueOf(cpu, number)};`);
  const signal = stopped.kind === "interrupted" ? SIGINT : SIGTRAP;
  const thread = `thread:${(cpu.index + 1).toString(16)};core:${cpu.index.toString(16)};`;
  return `T${hexByte(signal)}${reasonOf(session, stopped)}${thread}${values.join("")}`;
}
