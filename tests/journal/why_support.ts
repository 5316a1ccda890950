/** Guests whose slices are asked for, and slices as lines. */
import type { SliceNode } from "../../journal/slice_graph.ts";
import { Timeline } from "../../journal/timeline.ts";
import { type Subject, why, type WhyOptions } from "../../journal/why.ts";
import "../../hypervisor/install.ts";
import type { ConfigurationInput } from "../../machine/configuration.ts";
import { disassemble } from "../../machine/a64/assembly.ts";
import type { Input } from "../../machine/events.ts";
import { flatGuest, type Guest, recordGuest } from "./guest.ts";

/** Ends a guest. */
export const POWER_OFF = "\n        ldr     w0, =0x84000008\n        hvc     #0\n";

/** A guest of one CPU, recorded. */
export function recorded(
  source: string,
  inputs: readonly { instant: number; input: Input }[] = [],
  cpus = 1,
  more: ConfigurationInput = {},
): { guest: Guest; timeline: Timeline; at: (label: string, nth?: number) => number } {
  const guest = flatGuest(source);
  const { run } = recordGuest(guest, { machine: { cpus, memoryMiB: 8, ...more }, inputs, limit: 200_000 });
  const timeline = new Timeline(run, guest.images);
  const steps = timeline.events(0, run.lastInstant, ["step"]);
  /** The instant at which a label is reached for the nth time. */
  const at = (label: string, nth = 0): number => {
    const address = guest.program.symbols.get(label);
    const found = steps.filter((event) => event.kind === "stepRetired" && event.pc === address)[nth];
    if (found === undefined) throw new Error(`${label} is not reached`);
    return found.instant;
  };
  return { guest, timeline, at };
}

/** A register as what is asked about. */
export const register = (name: string): Subject => ({ kind: "register", name });

/** A slice as lines: what, then the instruction or the origin, indented by depth; a node again is its number. */
export function lines(root: SliceNode, indent = "", shown = new Set<SliceNode>()): string[] {
  return root.sources.flatMap(({ what, role, node }) => {
    const of = role === "value" ? "" : `${role} `;
    const text = node.step === undefined
      ? `${node.kind}${node.event === undefined ? "" : ` ${node.event.kind}`}${
        node.text === undefined ? "" : `: ${node.text}`
      }`
      : disassemble(node.step.opcode, node.step.pc);
    if (shown.has(node)) return [`${indent}${of}${what}: again ${text}`];
    shown.add(node);
    return [`${indent}${of}${what}: ${text}`, ...lines(node, `${indent}  `, shown)];
  });
}

/** The slice of a register at an instant, as lines. */
export function tree(timeline: Timeline, name: string, at: number, options: WhyOptions = {}): string[] {
  return lines(why(timeline, register(name), at, options).root);
}
