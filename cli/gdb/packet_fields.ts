/** Fields of packets: numbers and threads. */
import type { GdbSession } from "./session.ts";

/** A number of at most 64 bits in hexadecimal digits; undefined when it is none. */
export function hexNumber(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** A CPU by the thread's number, `all` for −1, `any` for 0; undefined for one that there is not. */
export function threadOf(session: GdbSession, text: string): number | "all" | "any" | undefined {
  // A process before the point, if a client insists on one.
  const [, id] = /^(?:p[0-9a-f]+\.)?(-1|[0-9a-f]{1,8})$/i.exec(text) ?? [];
  if (id === undefined) return undefined;
  if (id === "-1") return "all";
  const number = parseInt(id, 16);
  if (number === 0) return "any";
  return number <= session.target.machine.board.cpus.length ? number - 1 : undefined;
}
