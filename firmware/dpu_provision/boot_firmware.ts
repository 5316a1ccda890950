/**
 * The firmware of a DPU (US12197939B2): it takes an image over its channel, has it as a volatile disk, and boots by UEFI's
 * variables: BootNext once, then BootOrder.
 *
 * At every start it says `ready` and waits a moment for the management controller, without which it boots. An `offer` it
 * refuses, or takes chunk by chunk into RAM; when the digest is the one that was offered, Boot0000 names that RAM, BootNext
 * Boot0000, and the machine is reset, which leaves RAM as it is. An entry is an image in RAM or on a partition, whose digest
 * must hold; what does not is passed over. An image of a partition is read to where the volatile disk would be, and that is
 * none any more when the system is entered. So a loss of power can take the volatile disk, never a system.
 *
 * In flash at 0 (`-bios`), from where it copies itself to RAM; entered at EL1 below a monitor at EL3 with rts-upcall and dpu-provision; needs FEAT_SHA256, the
 * PL011, NVMe on bus 0 of PCI Express. What it boots has the MMU off, at EL1, with X0 = address of the volatile disk or 0,
 * and X1 = number of the entry.
 */
import { assembleProgram, type Program, type Source } from "../../machine/a64/program.ts";
import { guidBytes } from "../../machine/guid.ts";
import { EFI_GUID } from "../efi/guid.ts";
import { ucs2 } from "../efi/tables.ts";
import { ramDiskOption } from "./boot_entries.ts";
import { BOOT_ENTRIES } from "./boot_entry_code.ts";
import { DPU_CODE, nameData } from "./code.ts";
import { IMAGE_MAGIC } from "./image.ts";
import { TAKE_OFFER } from "./offer_code.ts";
import { type DpuModel, modelBytes, platformSymbols, RAM_DISK_ENTRY } from "./platform.ts";

/** What it says on the console. */
export const FIRMWARE_SAYS = {
  BEGUN: "firmware: ready",
  STAGED: "firmware: the volatile disk is there",
  BOOTING: "firmware: booting entry ",
  DAMAGED: "firmware: no image of this machine at entry ",
  NOTHING: "firmware: nothing to boot",
} as const;

/** How often it says `ready`. */
const ANNOUNCEMENTS = 3;

/** Start: to RAM, and what the controller wants. */
const START = `
_start: msr     daifset, #15
        adr     x1, _start
        ldr     x0, =FIRMWARE
        cmp     x0, x1
        b.eq    1f
        ldr     w2, =(firmware_end - _start)    // to RAM: services take no pointers into flash
        bl      copy
        dsb     sy
        ic      iallu
        dsb     sy
        isb
        ldr     x0, =FIRMWARE
        br      x0
1:      mov     x0, #(3 << 20)
        msr     cpacr_el1, x0                   // FPEN: SHA-256 is done in vectors
        isb
        ldr     x0, =STACK
        mov     sp, x0
        adr     x0, text_begun
        bl      print
        mov     w28, #0                         // the NVMe controller is not enabled
        bl      is_staged
        mov     w24, w0
announce:
        mov     w23, #${ANNOUNCEMENTS}
1:      mov     w0, #MESSAGE_READY
        bl      compose
        str     w24, [x0, #AT_FLAGS]
        ldr     x1, =RAM_DISK_SIZE
        str     x1, [x0, #AT_SIZE]
        bl      transmit
        bl      listen
        cmp     w0, #MESSAGE_PROCEED
        b.eq    boot
        cmp     w0, #MESSAGE_OFFER
        b.eq    offered
        subs    w23, w23, #1
        b.ne    1b
        b       boot

// Is there an installer for the next boot? w0 = 1 if so.
is_staged:
        stp     x29, x30, [sp, #-16]!
        adr     x0, boot_next
        bl      get_variable
        cbnz    x0, 1f
        ldr     x0, =RAM_DISK
        ldr     x0, [x0]
        ldr     x1, =${IMAGE_MAGIC}
        cmp     x0, x1
        cset    w0, eq
        b       2f
1:      mov     w0, #0
2:      ldp     x29, x30, [sp], #16
        ret

`;

const DATA = `
text_begun:   .asciz "${FIRMWARE_SAYS.BEGUN}\\r\\n"
text_staged:  .asciz "${FIRMWARE_SAYS.STAGED}\\r\\n"
text_booting: .asciz "${FIRMWARE_SAYS.BOOTING}"
text_damaged: .asciz "${FIRMWARE_SAYS.DAMAGED}"
text_nothing: .asciz "${FIRMWARE_SAYS.NOTHING}\\r\\n"
text_end:     .asciz "\\r\\n"
digits: .ascii  "0123456789ABCDEF"
        .balign 8
vendor: .incbin "vendor"
model:  .incbin "model"
boot_prefix: .incbin "prefix"
ram_disk_option: .incbin "option"
ram_disk_option_end:
        .balign 2
ram_disk_entry: .hword ${RAM_DISK_ENTRY}
${nameData("boot_next", "BootNext")}${nameData("boot_order", "BootOrder")}
        .balign 4
`;

const END: Source = { name: "dpu_firmware_end", text: "        .balign 16\nfirmware_end:\n" };

/** The firmware of a model, for `-bios`. */
export function dpuFirmware(model: DpuModel): Program {
  const symbols = platformSymbols(model);
  const files = {
    vendor: guidBytes(EFI_GUID.GLOBAL_VARIABLE),
    model: modelBytes(model.name),
    option: ramDiskOption(model),
    prefix: ucs2("Boot").subarray(0, 8),
  };
  return assembleProgram([
    { name: "dpu_firmware", text: START + TAKE_OFFER + BOOT_ENTRIES + DATA },
    ...DPU_CODE,
    END,
  ], {
    base: 0n,
    symbols,
    files,
  });
}
