/**
 * A boot manager that goes by UEFI's variables (UEFI 2.10 §3.1): BootNext, which it deletes first, then BootOrder. The
 * first Boot#### that is there and active (LOAD_OPTION_ACTIVE) is named on the console; there is nothing behind it to load.
 *
 * Link address BOOT_MANAGER_BASE, entered at EL1 or EL2 with the MMU off; needs 16 MiB of RAM, the PL011, runtime services
 * by the conduit (rts-upcall) in the phase before ExitBootServices, and PSCI by it. It prints one line, `booting ####:
 * DESCRIPTION` or `nothing to boot`, and powers off.
 */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { guidBytes } from "../../machine/guid.ts";
import { FUNCTION } from "../../machine/psci.ts";
import { RUNTIME_SERVICES, type RuntimeService, UPCALL } from "../../machine/uefi_services.ts";
import { EFI_GUID } from "../efi/guid.ts";
import { UART_ADDRESS } from "../loader/console.ts";
import { ucs2 } from "../efi/tables.ts";
import type { StubConduit } from "./stubs.ts";

/** Where `-kernel` puts a flat image. */
export const BOOT_MANAGER_BASE = 0x4008_0000n;
/** What it says when no entry can be booted. */
export const NOTHING_TO_BOOT = "nothing to boot";
/** What it says before the number and description of the entry that it boots. */
export const BOOTING_ENTRY = "booting";

/** EFI_VARIABLE_NON_VOLATILE, BOOTSERVICE_ACCESS and RUNTIME_ACCESS. */
const ATTRIBUTES = 7;
const MOST_ORDER = 256, MOST_OPTION = 4096;

function code(conduit: StubConduit): string {
  const call = (service: RuntimeService) =>
    `${conduit}     #${UPCALL.RUNTIME + RUNTIME_SERVICES.indexOf(service)}`;
  return `
_start: msr     daifset, #15
        mov     x26, #${UART_ADDRESS}
        adr     x0, boot_next
        mov     x3, #2
        bl      get
        cbnz    x0, order
        adr     x0, boot_next                   // once only, whatever comes of it
        adr     x1, vendor
        mov     x2, #${ATTRIBUTES}
        mov     x3, xzr
        mov     x4, xzr
        ${call("SetVariable")}
        adr     x0, data
        ldrh    w20, [x0]
        bl      try
order:  adr     x0, boot_order
        mov     x3, #${MOST_ORDER * 2}
        bl      get
        cbnz    x0, nothing
        adr     x21, entries                    // the buffer is used again for each entry
        adr     x0, data
        ldr     x22, size
        add     x22, x21, x22
        mov     x1, x21
1:      ldrh    w2, [x0], #2
        strh    w2, [x1], #2
        cmp     x1, x22
        b.lo    1b
2:      cmp     x21, x22
        b.hs    nothing
        ldrh    w20, [x21], #2
        bl      try
        b       2b
nothing:
        adr     x0, text_nothing
        bl      print
        b       off

// Boots entry w20, or comes back. Changes x0 to x9, x29.
try:    mov     x29, x30
        adr     x1, number
        mov     w2, #12
1:      lsr     w3, w20, w2
        and     w3, w3, #15
        cmp     w3, #10
        add     w4, w3, #'0'
        add     w5, w3, #('A' - 10)
        csel    w4, w4, w5, lo
        strh    w4, [x1], #2
        subs    w2, w2, #4
        b.pl    1b
        adr     x0, boot_entry
        mov     x3, #${MOST_OPTION}
        bl      get
        cbnz    x0, 2f
        adr     x19, data
        ldr     w1, [x19]
        tbnz    w1, #0, 3f                      // LOAD_OPTION_ACTIVE
2:      ret     x29
3:      adr     x0, text_booting
        bl      print
        adr     x0, number
        bl      print_wide
        adr     x0, text_colon
        bl      print
        add     x0, x19, #6                     // after Attributes and FilePathListLength
        bl      print_wide
off:    adr     x0, text_end
        bl      print
        ldr     x0, =${FUNCTION.SYSTEM_OFF}
        ${conduit}     #0
        b       .

// GetVariable of the name at x0, at most x3 bytes, to data and size; x0 = status.
get:    adr     x1, size
        str     x3, [x1]
        mov     x3, x1
        mov     x2, xzr
        adr     x1, vendor
        adr     x4, data
        ${call("GetVariable")}
        ret

print:  ldrb    w1, [x0], #1
        cbz     w1, 1f
        strb    w1, [x26]
        b       print
1:      ret

print_wide:
        ldrh    w1, [x0], #2
        cbz     w1, 1f
        strb    w1, [x26]
        b       print_wide
1:      ret
        .ltorg

text_nothing: .asciz "${NOTHING_TO_BOOT}"
text_booting: .asciz "${BOOTING_ENTRY} "
text_colon:   .asciz ": "
text_end:     .asciz "\\r\\n"
        .balign 8
vendor: .incbin "vendor"
boot_next:
        .incbin "BootNext"
        .balign 2
boot_order:
        .incbin "BootOrder"
        .balign 2
boot_entry:
        .incbin "Boot"
number: .hword  0, 0, 0, 0, 0
        .balign 8
size:   .quad   0
entries:
        .space  ${MOST_ORDER * 2}
        .balign 8
data:   .space  ${MOST_OPTION + 2}
`;
}

/** The boot manager. */
export function bootManager(conduit: StubConduit): Program {
  const name = (text: string) => ucs2(text);
  const files = {
    vendor: guidBytes(EFI_GUID.GLOBAL_VARIABLE),
    BootNext: name("BootNext"),
    BootOrder: name("BootOrder"),
    Boot: name("Boot").subarray(0, 8), // its number follows
  };
  return assembleProgram(code(conduit), { name: "boot_manager", base: BOOT_MANAGER_BASE, files });
}

/** EFI_LOAD_OPTION with a description and an end of its device path; inactive ones are passed over. */
export function loadOption(description: string, isActive = true): Uint8Array<ArrayBuffer> {
  const end = [0x7f, 0xff, 4, 0],
    text = ucs2(description),
    bytes = new Uint8Array(6 + text.length + end.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, isActive ? 1 : 0, true);
  view.setUint16(4, end.length, true);
  bytes.set(text, 6);
  bytes.set(end, 6 + text.length);
  return bytes;
}
