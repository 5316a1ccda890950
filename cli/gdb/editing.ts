/** What is said to whoever wants to change the past: the fork that would do it. */
import { hex, type PhysicalAddress } from "../../machine/address.ts";
import { lookUpAddress } from "../../machine/debugger_memory.ts";
import { isSystemRegister } from "../../machine/cpu/system_registers.ts";
import { hexNumber } from "./packet_fields.ts";
import { toHex } from "../../machine/debugger_packets.ts";
import type { Answer, GdbSession } from "./session.ts";

/** Lengths that `poke` writes. */
const POKED: readonly number[] = [1, 2, 4, 8];
/** Where an edit cannot be written as one action of a script. */
const ANY_ACTION = "ACTION";

/** Digits of bytes in memory order as a number. */
function reversed(digits: string): string {
  return `0x${(digits.match(/../g) ?? []).reverse().join("")}`;
}

/** `P NUMBER=VALUE` as an action of a script. */
function settingOf({ registers, cpu }: GdbSession, rest: string): string {
  const [, number, digits] = /^([0-9a-f]{1,4})=((?:[0-9a-f]{2})+)$/i.exec(rest) ?? [];
  const name = number === undefined ? undefined : registers.registers[parseInt(number, 16)]?.name;
  if (name === undefined || digits === undefined) return ANY_ACTION;
  const isSettable = /^(x\d+|sp|pc)$/.test(name) || isSystemRegister(name);
  return isSettable ? `set cpu${cpu.index} ${name} ${reversed(digits)}` : ANY_ACTION;
}

/** `M ADDRESS,LENGTH:…` as an action of a script, which has physical addresses. */
function pokeOf({ cpu, isPhysical }: GdbSession, rest: string, toDigits: (data: string) => string): string {
  const [, address, length, data = ""] = /^([0-9a-f]{1,16}),([0-9a-f]{1,8}):(.*)$/is.exec(rest) ?? [];
  const at = hexNumber(address), size = parseInt(length ?? "0", 16);
  if (at === undefined || !POKED.includes(size)) return ANY_ACTION;
  const physical = isPhysical ? Number(at) as PhysicalAddress : lookUpAddress(cpu, at)?.physical;
  const digits = toDigits(data);
  return physical === undefined || digits.length !== 2 * size
    ? ANY_ACTION
    : `poke ${hex(physical)} ${reversed(digits)}`;
}

/** Refuses an edit, and says how it is made. */
function refuse(session: GdbSession, action: string): string {
  const { machine, timeline } = session.target;
  return session.refuse(
    timeline === undefined
      ? `Changing the machine behind its recording's back is refused: do it at the recording's prompt (Ctrl-A c): ${action}`
      : `Editing history is refused on a recorded run: ` +
        `\`hindsight fork RUN --at ${machine.instant} --do '${action}' -o OTHER\`, then debug OTHER`,
  );
}

/** Packets that would write, by their letters. */
export const EDITS: Readonly<Record<string, (session: GdbSession, rest: string) => Answer>> = {
  G: (session) => refuse(session, ANY_ACTION),
  P: (session, rest) => refuse(session, settingOf(session, rest)),
  M: (session, rest) => refuse(session, pokeOf(session, rest, (digits) => digits)),
  X: (session, rest) => rest.endsWith(",0:") ? "" : refuse(session, pokeOf(session, rest, toHex)),
};

/** Refuses to go on from another address. */
export function refuseJump(session: GdbSession, address: bigint | undefined): string {
  return refuse(
    session,
    address === undefined ? ANY_ACTION : `set cpu${session.cpu.index} pc ${hex(address)}`,
  );
}
