/**
 * A small installer and a small system for a DPU, in place of Linux's: the installer writes the system to the partition
 * that is not in use, reads it back, and puts that first in BootOrder; the system says who it is and waits for ever.
 *
 * Both are entered by the DPU's firmware (see `boot_firmware.ts`), whose memory they use. Link address STAND_IN_BASE, at EL1
 * with the MMU off. The installer resets the machine when it is done; on an error it says so and powers off.
 */
import { assembleProgram } from "../../machine/a64/program.ts";
import { guidBytes } from "../../machine/guid.ts";
import { FUNCTION } from "../../machine/psci.ts";
import { EFI_GUID } from "../efi/guid.ts";
import { DPU_CODE, nameData } from "./code.ts";
import { BODY, type BootPart, IMAGE_HEADER, IMAGE_MAGIC, provisioningImage, SYSTEM_HEADER } from "./image.ts";
import { type DpuModel, platformSymbols } from "./platform.ts";

/** Where they are linked. */
export const STAND_IN_BASE = 0x4020_0000;

/** Where the installer reads back to. */
const READ_BACK = 0x4040_0000;

/** How an installer writes: only the first way is safe. */
export type InstallOrder =
  /** To the partition that is not in use, what names it last. */
  | "other partition"
  /** Over the system that is in use. */
  | "in place"
  /** To the other partition, after the only entry of BootOrder names it. */
  | "order first";

/** What they say on the console. */
export const STAND_IN_SAYS = {
  WRITING: "installer: writing partition ",
  INSTALLED: "installer: installed, read back and equal",
  FAILED: "installer: failed",
  SYSTEM: "system version ",
  GONE: ", no volatile disk",
  LEFT: ", a volatile disk is left",
} as const;

/** Makes what is at the partition's first page durable, from x2. */
const WRITE_HEADER = `
        mov     x0, #1
        mov     x1, x20
        mov     x3, #4096
        bl      nvme_transfer
        cbnz    x0, failed
        bl      nvme_flush
        cbnz    x0, failed`;

/** BootOrder has x1 bytes at ORDER. */
const WRITE_ORDER = `
        adr     x0, boot_order
        ldr     x2, =ORDER
        bl      set_variable
        cbnz    x0, failed`;

/** How the installer ends, and what it says. */
const INSTALLER_END = `        adr     x0, text_installed
        bl      print
        ldr     x0, =${FUNCTION.SYSTEM_RESET}
        smc     #0
        b       .
failed: adr     x0, text_failed
        bl      print
        ldr     x0, =${FUNCTION.SYSTEM_OFF}
        smc     #0
        b       .
        .ltorg
text_writing:   .asciz "${STAND_IN_SAYS.WRITING}"
text_installed: .asciz "${STAND_IN_SAYS.INSTALLED}\\r\\n"
text_failed:    .asciz "${STAND_IN_SAYS.FAILED}\\r\\n"
text_end:       .asciz "\\r\\n"
        .balign 8
vendor: .incbin "vendor"
${nameData("boot_order", "BootOrder")}
        .balign 4
`;

function installerText(order: InstallOrder): string {
  return `
_start: mov     x19, x0                         // the volatile disk
        adr     x0, boot_order
        bl      get_variable
        cbnz    x0, failed
        ldr     x0, =VARIABLE
        ldrh    w21, [x0]                       // the entry in use
        mov     w22, #3
        sub     w22, w22, w21                   // the other one
        ${order === "in place" ? "mov w22, w21" : ""}
        ldr     x20, =SLOT_A
        ldr     x0, =SLOT_B
        cmp     w22, #2
        csel    x20, x0, x20, eq
        ldr     x0, =ORDER
        strh    w22, [x0]
        strh    w21, [x0, #2]
        ${order === "order first" ? `mov x1, #2\n${WRITE_ORDER}` : ""}
        adr     x0, text_writing
        bl      print
        mov     w0, w22
        bl      print_number
        adr     x0, text_end
        bl      print
        bl      nvme_init
        cbnz    x0, failed
        ldr     x2, =RECEIVED                   // a page of zeros: no image
        add     x0, x2, #1, lsl #12
1:      stp     xzr, xzr, [x0, #-16]!
        cmp     x0, x2
        b.hi    1b
        ${WRITE_HEADER}
        mov     x0, #1
        add     x1, x20, #${BODY / 512}
        add     x2, x19, #${BODY >> 12}, lsl #12
        ldr     x23, [x19, #${IMAGE_HEADER.SIZE}]
        sub     x23, x23, #${BODY >> 12}, lsl #12
        mov     x3, x23
        bl      nvme_transfer
        cbnz    x0, failed
        bl      nvme_flush
        cbnz    x0, failed
        mov     x0, #2
        add     x1, x20, #${BODY / 512}
        ldr     x2, =${READ_BACK}
        mov     x3, x23
        bl      nvme_transfer
        cbnz    x0, failed
        ldr     x0, =${READ_BACK}
        mov     x1, x23
        bl      sha256
        ldr     x0, =DIGEST
        add     x1, x19, #${SYSTEM_HEADER >> 12}, lsl #12
        add     x1, x1, #${IMAGE_HEADER.DIGEST}
        bl      equal_digests
        b.ne    failed
        add     x2, x19, #1, lsl #12            // the system's header
        ${WRITE_HEADER}
        ${order === "other partition" ? `mov x1, #4\n${WRITE_ORDER}` : ""}
${INSTALLER_END}`;
}

function systemText(version: number): string {
  return `
_start: adr     x0, text_system
        bl      print
        mov     w0, #${version}
        bl      print_number
        ldr     x0, =RAM_DISK
        ldr     x0, [x0]
        ldr     x1, =${IMAGE_MAGIC}
        cmp     x0, x1
        adr     x0, text_gone
        adr     x1, text_left
        csel    x0, x1, x0, eq
        bl      print
1:      wfi
        b       1b
        .ltorg
text_system:    .asciz "${STAND_IN_SAYS.SYSTEM}"
text_gone:      .asciz "${STAND_IN_SAYS.GONE}\\r\\n"
text_left:      .asciz "${STAND_IN_SAYS.LEFT}\\r\\n"
        .balign 8
vendor: .incbin "vendor"
        .balign 4
`;
}

function part(model: DpuModel, text: string): BootPart {
  const program = assembleProgram([{ name: "stand_in", text }, ...DPU_CODE], {
    base: BigInt(STAND_IN_BASE),
    symbols: platformSymbols(model),
    files: { vendor: guidBytes(EFI_GUID.GLOBAL_VARIABLE) },
  });
  return { entry: STAND_IN_BASE, segments: [{ base: STAND_IN_BASE, bytes: program.bytes }] };
}

/** An image of both, made larger by so many bytes. `version` is less than 10,000. */
export function standInImage(
  model: DpuModel,
  version: number,
  { order = "other partition", padding = 0x1_8000 }: {
    readonly order?: InstallOrder;
    readonly padding?: number;
  } = {},
): Uint8Array<ArrayBuffer> {
  const filler = Uint8Array.from({ length: padding }, (_, at) => (at * 31 + (at >> 8) + version) & 0xff);
  const system = part(model, systemText(version));
  return provisioningImage({
    model,
    version,
    installer: part(model, installerText(order)),
    system: { ...system, segments: [...system.segments, { base: READ_BACK, bytes: filler }] },
  });
}
