/** The kinds of events that monitors and their systems add to those of the machine. */
import { kind } from "./event_kind.ts";
import { oneOf, text, u16, u64, u8 } from "./layout.ts";

/** Rows as in EVENT_KINDS, behind those; new rows go to the end, each under the system whose event it is. */
// deno-fmt-ignore
export const MONITOR_EVENT_KINDS = {
  // A monitor made its guest take an exception or an interrupt, as hardware would have: `to` is the guest's level.
  exceptionInjected:     kind("trap",   { to: u8, syndrome: u64, faultAddress: u64, returnAddress: u64, vector: u64 }),
  // A monitor met what it cannot go on from: the machine powers off.
  monitorStopped:        kind("trap",   { level: u8, reason: text(256) }),
  // Software below a monitor accessed a system register, and the monitor answered.
  registerEmulated:      kind("detail", { level: u8, register: text(32), access: oneOf("read", "write"), value: u64 }),
  // A virtual interrupt controller: the model's own events, beside those of the board's controller.
  virtualInterruptRaised: kind("detail", { interrupt: u16, source: text(32) }),
  virtualInterruptAcknowledged: kind("detail", { interrupt: u16 }),
} as const;
