/**
 * Hand-off A of rts-upcall: the EFI shell around a kernel, with runtime services by upcalls. What lies in RAM at first
 * says that there are none; the start probes the conduit, and only then puts the memory map and tables in place that
 * have them, and has SetVirtualAddressMap count as called.
 */
import type { Source } from "../../machine/a64/program.ts";
import { type EfiHandOff, efiHandOff, type EfiHandOffOptions, type EfiSegment } from "../efi/hand_off.ts";
import { firmwareImmediate, probeSource, PUBLISHED, UNPUBLISHED } from "./probe.ts";
import { type StubConduit, SUPPORTED_SERVICES, upcallStubs } from "./stubs.ts";

/** What is handed over; `EfiHandOffOptions` says what the rest is. */
export interface UpcallShellOptions extends Omit<EfiHandOffOptions, "runtime" | "before"> {
  /** How stubs call: `hvc` below a monitor at EL2, `smc` below one at EL3. */
  readonly conduit: StubConduit;
}

/** Offsets from the shell's start of what the probe puts in place. */
const STAGED_MAP = 0x8000, STAGED_TABLES = 0xc000;

function startSource(conduit: StubConduit, copies: readonly { from: EfiSegment; to: EfiSegment }[]): Source {
  const copy = ({ from, to }: (typeof copies)[number]) => `
        ldr     x0, =${from.base}
        ldr     x1, =${to.base}
        ldr     x2, =${from.bytes.length}
1:      ldr     x3, [x0], #8
        str     x3, [x1], #8
        subs    x2, x2, #8
        b.hi    1b`;
  return {
    name: "upcall_start",
    text: `
        b       probe
answered:
        ${copies.map(copy).join("\n")}
        ${conduit}     #${firmwareImmediate("Leave")}
        adr     x0, published
        bl      probe_print
        b       enter_kernel
unanswered:
        adr     x0, unpublished
        bl      probe_print
        b       enter_kernel
        .ltorg
published:
        .asciz  "${PUBLISHED}\\r\\n"
unpublished:
        .asciz  "${UNPUBLISHED}\\r\\n"
        .balign 4
`,
  };
}

/** The shell: as `efiHandOff` gives it. Throws RangeError likewise. */
export function upcallShell({ conduit, ...options }: UpcallShellOptions): EfiHandOff {
  const { code, runtime: offsets } = upcallStubs(conduit);
  const runtime = { code, offsets, supported: SUPPORTED_SERVICES };
  const published = efiHandOff({ ...options, runtime });
  const segment = ({ segments }: EfiHandOff, name: string): EfiSegment => {
    return segments.find((one) => one.name === name) as EfiSegment;
  };
  const staged = (["efi_map.bin", "efi_tables.bin"] as const).map((name, index) => {
    const from = segment(published, name),
      base = published.entry + ([STAGED_MAP, STAGED_TABLES][index] as number);
    return { from: { ...from, name: `staged_${name}`, base }, to: from };
  });
  const before = [startSource(conduit, staged), probeSource(conduit)];
  const handOff = efiHandOff({ ...options, runtime: { ...runtime, isPublished: false }, before });
  return {
    ...handOff,
    memoryMap: published.memoryMap,
    segments: [...handOff.segments, ...staged.map(({ from }) => from)],
  };
}
