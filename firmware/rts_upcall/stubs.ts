/**
 * The stubs of rts-upcall (US20190391814A1): for every service of UEFI's tables an `HVC #n` or `SMC #n` and a `RET`, in
 * code that needs no data, no stack and no particular address. What a hypervisor need not do is done here: characters
 * for the console, CopyMem and SetMem. Entered by AAPCS64 at EL1 or EL2.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import {
  BOOT_SERVICES,
  type BootService,
  RUNTIME_SERVICES,
  type RuntimeService,
  UPCALL,
} from "../../machine/uefi_services.ts";
import { UART_ADDRESS } from "../loader/console.ts";

/** How stubs call. */
export type StubConduit = "hvc" | "smc";

/** Functions of EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL, in its order, before Mode. */
export const TEXT_OUTPUT = [
  "Reset",
  "OutputString",
  "TestString",
  "QueryMode",
  "SetMode",
  "SetAttribute",
  "ClearScreen",
  "SetCursorPosition",
  "EnableCursor",
] as const;

/** The stubs, and where each starts. */
export interface Stubs {
  /** At any address. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Runtime services. */
  readonly runtime: Readonly<Record<RuntimeService, number>>;
  /** Boot services; 0 for the reserved entry. */
  readonly boot: Readonly<Record<BootService, number>>;
  /** Functions of the text console: all but OutputString succeed without doing anything. */
  readonly output: Readonly<Record<(typeof TEXT_OUTPUT)[number], number>>;
  /** Functions of EFI_SMBIOS_PROTOCOL, in its order: only the last does something. */
  readonly smbios: readonly number[];
}

/** Those after ExitBootServices that do something. */
// deno-fmt-ignore
export const SUPPORTED_SERVICES: readonly RuntimeService[] = [
  "GetTime", "SetTime", "GetVariable", "GetNextVariableName", "SetVariable", "SetVirtualAddressMap", "ConvertPointer",
  "ResetSystem", "QueryVariableInfo",
];

/** Services that are code of their own. */
const CODE = `
// OutputString(This, String): CHAR16 to the PL011, those above 0x7f as "?".
OutputString:
        mov     x3, #${UART_ADDRESS}
1:      ldrh    w2, [x1], #2
        cbz     w2, succeed
        cmp     w2, #0x7f
        mov     w4, #'?'
        csel    w2, w2, w4, ls
2:      ldr     w4, [x3, #0x18]                 // UARTFR.TXFF
        tbnz    w4, #5, 2b
        str     w2, [x3]
        b       1b

// CopyMem(Destination, Source, Length): ranges may overlap.
CopyMem:
        subs    x3, x0, x1
        b.eq    2f
        cmp     x3, x2
        b.lo    3f                              // the destination begins within the source
1:      cbz     x2, 2f
        ldrb    w4, [x1], #1
        strb    w4, [x0], #1
        sub     x2, x2, #1
        b       1b
2:      ret
3:      cbz     x2, 2b
        sub     x2, x2, #1
        ldrb    w4, [x1, x2]
        strb    w4, [x0, x2]
        b       3b

// SetMem(Buffer, Size, Value).
SetMem: cbz     x1, 1f
        strb    w2, [x0], #1
        sub     x1, x1, #1
        b       SetMem
1:      ret

// GetNext(This, SmbiosHandle, Type OPTIONAL, Record, ProducerHandle) of EFI_SMBIOS_PROTOCOL: the one record, whose address is behind the protocol's structure.
SmbiosGetNext:
        ldrh    w5, [x1]
        mov     w6, #0xfffe                     // from the first on
        cmp     w5, w6
        b.ne    2f
        ldr     x5, [x0, #40]
        cbz     x2, 1f
        ldrb    w6, [x2]
        ldrb    w7, [x5]
        cmp     w6, w7
        b.ne    2f
1:      ldrh    w6, [x5, #2]
        strh    w6, [x1]
        str     x5, [x3]
        mov     x0, xzr
        ret
2:      mov     x0, #14                         // EFI_NOT_FOUND
        orr     x0, x0, #(1 << 63)
        ret

succeed:
        mov     x0, xzr
        ret
unsupported:
        mov     x0, #3                          // EFI_UNSUPPORTED
        orr     x0, x0, #(1 << 63)
        ret
`;
const IN_A64 = new Set<string>(["CopyMem", "SetMem", "Reserved"]);

/** Assembles the stubs for a conduit. */
export function upcallStubs(conduit: StubConduit): Stubs {
  const stub = (name: string, immediate: number) =>
    IN_A64.has(name) ? "" : `${name}: ${conduit} #0x${immediate.toString(16)}\n        ret\n`;
  const text = RUNTIME_SERVICES.map((name, index) => stub(name, UPCALL.RUNTIME + index)).join("") +
    BOOT_SERVICES.map((name, index) => stub(name, UPCALL.BOOT + index)).join("") + CODE;
  const { bytes, symbols }: Program = assembleProgram(text, { name: "upcall_stubs" });
  const at = (name: string): number => Number(symbols.get(name) ?? 0n);
  const places = <N extends string>(names: readonly N[], of: (name: N) => number = at) =>
    Object.fromEntries(names.map((name) => [name, of(name)])) as Record<N, number>;
  return {
    code: bytes,
    runtime: places(RUNTIME_SERVICES),
    boot: places(BOOT_SERVICES),
    output: places(TEXT_OUTPUT, (name) => at(name === "OutputString" ? name : "succeed")),
    smbios: ["unsupported", "unsupported", "unsupported", "SmbiosGetNext"].map(at),
  };
}
