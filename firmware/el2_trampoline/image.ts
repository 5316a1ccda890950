/**
 * el2-trampoline: a hypervisor of two components at two levels, and a trampoline that lets the lower one call the higher
 * (US10019275B2; siblings US10162655B2, by TLB tags, and US10255090B2, by a redirection vector).
 *
 * The vmkernel runs at EL1, the VMM at EL2. While the vmkernel runs, VBAR_EL2 is the trampoline's vectors, TTBR0_EL2 a
 * map of its few pages, HCR_EL2 traps nothing. HVC #1 of the vmkernel saves its state of EL1, sets TTBR0_EL2 and VBAR_EL2
 * to the VMM's tables and vectors, HCR_EL2, VTTBR_EL2, VTCR_EL2, MDCR_EL2 and CNTHCTL_EL2 to the guest's values, loads
 * the guest's state of EL1 and branches to the VMM, which returns to the guest. The trampoline is inactive by that: every
 * exception to EL2 is the VMM's. When the guest stops, the way back mirrors it. `trampoline.ts` has the switch.
 *
 * Form: `-M virt,virtualization=on -kernel`, entered at EL2 at IMAGE_BASE on one CPU; it needs a GICv2 with virtual
 * interfaces, the PL011, PSCI by SMC, and the guest in RAM from `guest.memory` on.
 */
import { assembleProgram, type Program, type Source } from "../../machine/a64/program.ts";
import { label, Names } from "../../machine/a64/program_parts.ts";
import { imageHeader } from "../image.ts";
import { CONSOLE } from "../loader/console.ts";
import { leafAttributes } from "../loader/translation_layout.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";
import { bootText } from "./boot.ts";
import {
  CONTEXT,
  CONTEXT_AT,
  DEVICES,
  GUEST_RAM,
  IMAGE_BASE,
  layoutEquates,
  MAP_LAYOUT,
  PLACES,
  type SwitchForm,
  TABLES_OF_A_MAP,
  type VmmKind,
} from "./layout.ts";
import { worldRegisters } from "./registers.ts";
import { redirectionText } from "./redirection.ts";
import { SAVE_X, trampolineText } from "./trampoline.ts";
import { VMM_STUB, vmmText } from "./vmm.ts";
import { vmkernelText } from "./vmkernel.ts";

/** The guest as it is entered. */
export interface GuestPlace {
  /** Physical address of its memory, a multiple of 2 MiB. */
  readonly memory: number;
  /** Bytes of it, a multiple of 2 MiB; the guest sees them at GUEST_RAM. */
  readonly size: number;
  /** Where it is entered, and X0 there. */
  readonly entry: bigint;
  readonly x0?: bigint;
}

/** What an image is built of. */
export interface TrampolineOptions {
  /** The variant (default plain). */
  readonly form?: SwitchForm;
  /** The VMM (default a64). */
  readonly vmm?: VmmKind;
  /** The CPU has FEAT_PAuth: its keys are switched too (default false). */
  readonly pauth?: boolean;
  /** The vmkernel's registers get random values before each switch (default false). */
  readonly planted?: boolean;
  /** Ticks between two interrupts of the vmkernel's timer; none when absent. */
  readonly period?: number;
  /** Entered at EL3, and leaves HVC disabled (default false). */
  readonly withoutCalls?: boolean;
  /** The guest. */
  readonly guest: GuestPlace;
}

/** An image for `-kernel`. */
export interface TrampolineImage {
  /** The file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The program in it, for its symbols. */
  readonly program: Program;
}

/** A kernel's header: without a kernel, what else would be there is the board's device tree. */
const HEADER = imageHeader({ entry: label("boot_start"), size: PLACES.END - IMAGE_BASE }).render(new Names());

/** The sources in their order, by name. */
export function trampolineSources(options: TrampolineOptions): Source[] {
  const { form = "plain", vmm = "a64", pauth = false, planted = false, period, withoutCalls = false } =
    options;
  const rows = worldRegisters(pauth), isHost = form === "tags";
  const isRedirected = form === "redirection";
  if (isRedirected && period !== undefined) {
    throw new RangeError("Cannot build: commands at EL0 have no timer; leave the period out");
  }
  const kernel = isRedirected
    ? redirectionText(rows, planted)
    : vmkernelText(rows, { planted, ...(period === undefined ? {} : { period }) });
  return [
    { name: "layout", text: layoutEquates({ form, pauth }) },
    { name: "header", text: HEADER },
    { name: "boot", text: bootText(withoutCalls) },
    { name: "macros", text: SAVE_X },
    { name: "trampoline", text: trampolineText({ rows, isHost }) },
    { name: "vmm", text: vmm === "a64" ? vmmText(isHost) : VMM_STUB },
    { name: "vmkernel", text: kernel },
    CONSOLE,
  ];
}

/** Attributes of leaves that are not of the loaders' kind. */
const AP_EL0 = 1n << 6n, PXN = 1n << 53n, UXN = 1n << 54n, NOT_GLOBAL = 1n << 11n;
/** Stage 2: AF, read and write; Normal write-back and shareable, Device-nGnRE and never executed. */
const STAGE2_RW = 1n << 10n | 3n << 6n, STAGE2_MEMORY = 0xfn << 2n | 3n << 8n;
const STAGE2_DEVICE = 1n << 2n | 1n << 54n;

/** Descriptor attributes at EL2: with E2H there is EL0, and pages that are not the trampoline's have an ASID. */
function attributesAt2(form: SwitchForm, kind: "image" | "data" | "device", isShared: boolean): bigint {
  const plain = leafAttributes(2, kind);
  if (form !== "tags") return plain;
  return plain & ~AP_EL0 | (kind === "image" ? 0n : PXN) | (isShared ? 0n : NOT_GLOBAL);
}

/** Both address spaces of EL2. */
function hypervisorMaps(form: SwitchForm, program: Program): Map<number, Uint8Array> {
  const at = (symbol: string) => program.symbols.get(symbol) as bigint;
  const space = (place: number, context: number) => {
    const builder = new TranslationTableBuilder(MAP_LAYOUT, BigInt(place), TABLES_OF_A_MAP);
    const map = (physical: bigint, size: bigint, attributes: bigint, virtual = physical) =>
      builder.map({ virtual, physical, size, attributes });
    map(at("trampoline"), at("worlds") - at("trampoline"), attributesAt2(form, "image", true));
    map(at("worlds"), at("trampoline_end") - at("worlds"), attributesAt2(form, "data", true));
    map(BigInt(context), 4096n, attributesAt2(form, "data", false), CONTEXT);
    return { builder, map };
  };
  const small = space(PLACES.SMALL_MAP, PLACES.HOST_CONTEXT);
  if (form === "redirection") {
    small.map(at("kernel2"), at("kernel2_end") - at("kernel2"), leafAttributes(2, "image"));
    small.map(BigInt(DEVICES.GICC), 0x2000n, leafAttributes(2, "device"));
  }
  const vmm = space(PLACES.VMM_MAP, PLACES.GUEST_CONTEXT);
  vmm.map(at("vmm"), at("vmm_end") - at("vmm"), attributesAt2(form, "image", false));
  for (const device of [DEVICES.GICD, DEVICES.GICC, DEVICES.GICH]) {
    vmm.map(
      BigInt(device),
      device === DEVICES.GICC ? 0x2000n : 0x1000n,
      attributesAt2(form, "device", false),
    );
  }
  return new Map([[PLACES.SMALL_MAP, small.builder.bytes], [PLACES.VMM_MAP, vmm.builder.bytes]]);
}

/** EL1 and EL0 of the vmkernel: all at EL1; or a page of vectors at EL1, and the commands and their UART at EL0. */
function kernelMap(form: SwitchForm, program: Program): Uint8Array {
  const kernel = new TranslationTableBuilder(MAP_LAYOUT, BigInt(PLACES.KERNEL_MAP), TABLES_OF_A_MAP);
  const map = (base: bigint, size: bigint, attributes: bigint) =>
    kernel.map({ virtual: base, physical: base, size, attributes });
  if (form !== "redirection") {
    const gib = 1n << 30n;
    map(0n, gib, leafAttributes(1, "device"));
    map(gib, gib, leafAttributes(1, "image"));
    return kernel.bytes;
  }
  const at = (symbol: string) => program.symbols.get(symbol) as bigint;
  const end = (program.base + BigInt(program.size) + 0xfffn) & ~0xfffn;
  map(at("vmkernel"), 4096n, leafAttributes(1, "image"));
  map(at("commands"), end - at("commands"), leafAttributes(1, "data") & ~UXN | AP_EL0);
  map(BigInt(DEVICES.UART), 4096n, leafAttributes(1, "device") | AP_EL0);
  return kernel.bytes;
}

/** The guest's stage 2. */
function guestMap({ memory, size }: GuestPlace): Uint8Array {
  const stage2 = new TranslationTableBuilder(MAP_LAYOUT, BigInt(PLACES.STAGE2), TABLES_OF_A_MAP);
  const map = (virtual: number, physical: number, bytes: number, attributes: bigint) =>
    stage2.map({
      virtual: BigInt(virtual),
      physical: BigInt(physical),
      size: BigInt(bytes),
      attributes: STAGE2_RW | attributes,
    });
  map(GUEST_RAM, memory, size, STAGE2_MEMORY);
  map(DEVICES.GICC, DEVICES.GICV, 0x2000, STAGE2_DEVICE); // what the guest takes for its CPU interface
  map(DEVICES.UART, DEVICES.UART, 0x1000, STAGE2_DEVICE);
  map(DEVICES.RTC, DEVICES.RTC, 0x1000, STAGE2_DEVICE);
  return stage2.bytes;
}

/** PSTATE of a guest that begins: EL1h, all masked. */
const EL1H_MASKED = 0x3c5n;
/** SCTLR_EL1 with its RES1 bits alone. */
const SCTLR_OFF = 0x30d0_0800n;

/** The guest's save area before its first entry. */
function guestContext({ entry, x0 = 0n }: GuestPlace, pauth: boolean): Uint8Array {
  const bytes = new Uint8Array(4096), view = new DataView(bytes.buffer);
  view.setBigUint64(CONTEXT_AT.X, x0, true);
  view.setBigUint64(CONTEXT_AT.PC, entry, true);
  view.setBigUint64(CONTEXT_AT.PSTATE, EL1H_MASKED, true);
  const sctlr = worldRegisters(pauth).findIndex(({ name }) => name === "SCTLR_EL1");
  view.setBigUint64(CONTEXT_AT.SYSTEM + 8 * sctlr, SCTLR_OFF, true);
  return bytes;
}

/** Builds an image. Throws RangeError for a guest that cannot be mapped and sources that do not fit, ProgramError for wrong ones. */
export function trampolineImage(
  options: TrampolineOptions,
  sources: readonly Source[] = trampolineSources(options),
): TrampolineImage {
  const { form = "plain", pauth = false, guest } = options;
  const program = assembleProgram([...sources], { base: BigInt(IMAGE_BASE) });
  if (IMAGE_BASE + program.size > PLACES.HOST_CONTEXT) {
    throw new RangeError(`Cannot build: the code has ${program.size} bytes and meets the save areas`);
  }
  const bytes = new Uint8Array(PLACES.END - IMAGE_BASE);
  const put = (at: number, contents: Uint8Array) => bytes.set(contents, at - IMAGE_BASE);
  put(IMAGE_BASE, program.bytes);
  put(PLACES.GUEST_CONTEXT, guestContext(guest, pauth));
  for (const [at, contents] of hypervisorMaps(form, program)) put(at, contents);
  put(PLACES.KERNEL_MAP, kernelMap(form, program));
  put(PLACES.STAGE2, guestMap(guest));
  return { bytes, program };
}

/** An image with one text of one of its sources replaced, for experiments. Throws RangeError unless it is there exactly once. */
export function changedTrampoline(
  options: TrampolineOptions,
  source: string,
  from: string,
  to: string,
): TrampolineImage {
  const sources = trampolineSources(options), changed = sources.find(({ name }) => name === source);
  const found = (changed?.text.split(from).length ?? 1) - 1;
  if (found !== 1) throw new RangeError(`Cannot change ${source}: it has "${from}" ${found} times`);
  return trampolineImage(
    options,
    sources.map(({ name, text }) => ({ name, text: name === source ? text.replace(from, () => to) : text })),
  );
}
