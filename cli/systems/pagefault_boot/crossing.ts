/** What the crossing of a loader into its address space must be: the abort, and the record that it hands off. */
import { type HandOff, readHandOff } from "../../../firmware/loader/hand_off.ts";
import { physicalAddress } from "../../../machine/address.ts";
import type { EventOf, MachineEvent } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";
import { hexText } from "./text.ts";
import { type Loader, missingLevel, placeOf } from "./loaders.ts";

/** An exception, as events and QEMU's log tell it. */
export interface Syndrome {
  /** ESR_ELx. */
  readonly syndrome: bigint;
  /** FAR_ELx. */
  readonly faultAddress: bigint;
  /** ELR_ELx. */
  readonly returnAddress: bigint;
}

/** When the write of SCTLR_ELx.M takes effect: at once, or with `--strict context` at the ISB. */
export type EffectiveAt = "MSR" | "ISB";

/** The exceptions among events. */
export function exceptionsOf(events: Iterable<MachineEvent>): EventOf<"exceptionTaken">[] {
  return [...events].filter((event) => event.kind === "exceptionTaken");
}

/** An exception in a line. */
export function syndromeText({ syndrome, faultAddress, returnAddress }: Syndrome): string {
  return `esr=${hexText(syndrome)} far=${hexText(faultAddress)} elr=${hexText(returnAddress)}`;
}

/** Reads 8 bytes of physical memory as the CPUs see it. */
export function quadAt(machine: Machine, address: bigint): bigint {
  const bytes = machine.board.memory.viewBytes(physicalAddress(Number(address)), 8);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

/** The record of a loader at `ma`. */
export function handOffOf(machine: Machine, loader: Loader, ma: number): HandOff {
  return readHandOff((address) => quadAt(machine, address), placeOf(loader, "hand_off", ma));
}

/** The abort that a loader at `ma` must take. */
export function expectedAbort(loader: Loader, ma: number, at: EffectiveAt): Syndrome {
  const place = placeOf(loader, "enabled", ma) + (at === "ISB" ? 4n : 0n);
  const level = BigInt(missingLevel(loader, place) ?? -1);
  // EC 0x21, IL, IFSC 0b0001LL.
  return { syndrome: 0x8600_0004n | level, faultAddress: place, returnAddress: place };
}

function differences(
  what: string,
  wanted: Readonly<Record<string, bigint>>,
  found: Readonly<Record<string, bigint>>,
): string[] {
  return Object.entries(wanted).filter(([name, value]) => found[name] !== value)
    .map(([name, value]) => `${what}: ${name} is ${hexText(found[name] ?? -1n)}, expected ${hexText(value)}`);
}

/** What is wrong with the exceptions of a run: there must be one, the expected, taken to its own level in the new space. */
export function abortFailures(
  loader: Loader,
  ma: number,
  at: EffectiveAt,
  exceptions: readonly EventOf<"exceptionTaken">[],
): string[] {
  const what = `EL${loader.level}, ${loader.granule}, MA ${hexText(BigInt(ma))}`;
  const [taken] = exceptions;
  if (taken === undefined || exceptions.length !== 1) {
    return [
      `${what}: ${exceptions.length} exceptions, expected one: ${
        exceptions.slice(0, 4).map(syndromeText).join("; ")
      }`,
    ];
  }
  const { program, level } = loader, vectors = program.symbols.get("boot_vectors") ?? 0n;
  const { syndrome, faultAddress, returnAddress, vector, from, to } = taken;
  return differences(what, {
    ...expectedAbort(loader, ma, at),
    vector: vectors + 0x200n,
    from: BigInt(level),
    to: BigInt(level),
  }, { syndrome, faultAddress, returnAddress, vector, from: BigInt(from), to: BigInt(to) });
}

/** What is wrong with the record of a loader that parked after its hand-off. */
export function handOffFailures(machine: Machine, loader: Loader, ma: number, at: EffectiveAt): string[] {
  const { options, program, level } = loader;
  const what = `EL${level}, ${loader.granule}, MA ${hexText(BigInt(ma))}: the record`;
  return differences(what, {
    machineAddress: BigInt(ma),
    virtualAddress: options.link,
    difference: BigInt.asUintN(64, options.link - BigInt(ma)),
    level: BigInt(level),
    tables: placeOf(loader, "table_room", ma),
    granule: BigInt(options.granule),
    size: BigInt(program.size),
    aborts: 1n,
    ...expectedAbort(loader, ma, at),
  }, handOffOf(machine, loader, ma));
}
