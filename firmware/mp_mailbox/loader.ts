/**
 * mp-mailbox: a loader that turns a machine whose firmware starts CPUs by PSCI into one whose CPUs wait at mailboxes
 * (US20170364365A1; grant US10564983).
 *
 * The boot CPU reads the tables that it is given: the flattened device tree (`/psci`, `/cpus` and the interrupt
 * controller), and if `/chosen` tells of UEFI, ACPI's FADT (ARM_BOOT_ARCH) and MADT (GICC). For each other CPU it takes a
 * page of 4 KiB, puts the pen into its upper half, and calls PSCI CPU_ON (Arm DEN0022, 5.1.4) by HVC or SMC with the pen
 * as entry. The pen enables the CPU's GIC interface (Arm IHI 0048 or IHI 0069), leaves PSTATE.I set and waits with WFI,
 * which a pending interrupt ends whether it is masked or not (Arm ARM D1.6.2), for its number in the mailbox; it
 * acknowledges the SGI, reads the address, clears it, and goes there with the MMU off. Then the tables are rewritten:
 * GICC ParkingProtocolVersion and ParkedAddress, FADT without PSCI_COMPLIANT, checksums; or `enable-method`,
 * `cpu-release-addr` and a reservation (Multi-processor Startup for ARM Platforms; ACPI 6.4, 5.2.12.14; booting.rst).
 *
 * What is wrong with tables is found before anything is changed: then no CPU is started, no table is touched, and the
 * kernel gets a copy of the tree whose command line asks for one CPU, after a line that says why.
 */
import { assembleProgram, type Program, type Source } from "../../machine/a64/program.ts";
import { ACPI_TABLES } from "./acpi_text.ts";
import { CONSOLE } from "../loader/console.ts";
import { kernelStart } from "../loader/kernel_start.ts";
import { LOADER_DEVICE_TREE_AT, LOADER_KERNEL_AT } from "../loader/pagefault_boot.ts";
import { deviceTreeReader } from "./device_tree_text.ts";
import { type PenMutant, penText } from "./pen_text.ts";
import { deviceTreeWriter } from "./rewrite_text.ts";
import { type StartMutant, startText } from "./start_text.ts";
import { sharedEquates } from "./variables.ts";

/** What a loader is built for. */
export interface MailboxLoaderOptions {
  /** The exception level that it is entered at, its kernel too, and CPUs by PSCI. */
  readonly level: 1 | 2;
  /** Where it is loaded, a multiple of 4096 (default MAILBOX_LOADER_AT). */
  readonly base?: number;
  /** Faults to be planted. */
  readonly mutants?: readonly (PenMutant | StartMutant)[];
}

/** Where it is loaded by `-kernel`, as it asks for in its header. */
export const MAILBOX_LOADER_AT = 0x4008_0000;

/** What its lines begin with. */
export const MAILBOX_PREFIX = "mp-mailbox: ";

/** Where a device tree is when it is not entered with one, and the kernel (an arm64 Image) that it enters. */
export const MAILBOX_TREE_AT = LOADER_DEVICE_TREE_AT, MAILBOX_KERNEL_AT = LOADER_KERNEL_AT;

/** As a kernel is entered (booting.rst), or by power-on with a tree at its fixed place. */
const begin = (level: 1 | 2): string => `
_start: b       begin
        .word   0
        .quad   0x80000, image_end - _start, 10
        .quad   0, 0, 0
        .ascii  "ARM\\x64"
        .word   0
begin:  msr     daifset, #15
        ldr     x26, =UART
        adrp    x1, stack_top
        add     x1, x1, :lo12:stack_top
        mov     sp, x1
        adrp    x28, vars
        add     x28, x28, :lo12:vars
        mov     x1, x28
        mov     x2, #(VARS_SIZE / 8)
1:      str     xzr, [x1], #8
        subs    x2, x2, #1
        b.ne    1b
        adr     x1, loader_vectors
        msr     vbar_el${level}, x1
        isb
        mov     x19, x0
        cbnz    x19, 2f
        ldr     x19, =DEVICE_TREE_AT
2:      str     x19, [x28, #VARS_TREE]
        mrs     x0, currentel
        cmp     x0, #${level << 2}
        adr     x0, text_level
        b.ne    stop
        ldr     x1, =KERNEL_AT
        ldr     w1, [x1, #56]
        ldr     w2, =IMAGE_MAGIC
        cmp     w1, w2
        adr     x0, text_kernel
        b.ne    stop
        mov     x0, #WAITS_SPIN
        str     x0, [x28, #VARS_READING]
        str     x0, [x28, #VARS_WAITS]
        bl      read_tree
        bl      read_acpi
        bl      check_cores
        str     xzr, [x28, #VARS_READING]
        bl      probe_psci
        bl      prepare_gic
        bl      start_cores
        ldr     x0, [x28, #VARS_MADT]
        cbz     x0, 1f
        bl      write_acpi
        adr     x0, text_parking
        bl      put_text
        ldr     x0, [x28, #VARS_TREE]
        b       hand_over
1:      adr     x0, text_rewritten
        bl      put_text
        mov     x0, #0
        bl      write_tree
        b       hand_over

`;

/** The ends: one CPU only, the kernel, or nothing at all. */
const ENDS = `// What is wrong is at x0: nothing was changed or started.
refuse:
        adrp    x1, stack_top
        add     x1, x1, :lo12:stack_top
        mov     sp, x1
        ldr     x26, =UART
        str     xzr, [x28, #VARS_READING]
        mov     x20, x0
        adr     x0, text_one
        bl      put_text
        mov     x0, x20
        bl      put_text
        adr     x0, text_line
        bl      put_text
        ldr     x0, [x28, #VARS_TREE]
        ldr     x1, [x28, #VARS_TREE_GOOD]
        cbz     x1, hand_over                   // it cannot be copied: the kernel gets it as it is
        mov     x0, #1
        bl      write_tree
hand_over:
        ldr     x1, =KERNEL_AT
        adr     x2, _start
        adrp    x3, image_end
        sub     x3, x3, x2
        b       start_kernel

stop:   mov     x20, x0
        adr     x0, text_stopped
        bl      put_text
        mov     x0, x20
        bl      put_text
        adr     x0, text_line
        bl      put_text
park:   wfi
        b       park

`;

/** Exceptions, and the vectors. */
const exceptions = (level: 1 | 2): string =>
  `unexpected:
        ldr     x0, [x28, #VARS_CALLING]
        cbnz    x0, 1f
        ldr     x1, [x28, #VARS_READING]
        adr     x0, text_outside
        cbnz    x1, refuse
        adr     x0, text_exception
        bl      put_text
        mrs     x0, esr_el${level}
        bl      put_hex
        adr     x0, text_line
        bl      put_text
        b       park
1:      adr     x0, call_answered               // the call itself is undefined, or came here
        msr     elr_el${level}, x0
        mov     x0, #-1                         // NOT_SUPPORTED
        eret

        .balign 2048
loader_vectors:
        .rept   16
        b       unexpected
        .balign 128
        .endr
        .ltorg
`;

const TEXTS = (level: 1 | 2): string => `
        .rodata
text_rewritten: .asciz "${MAILBOX_PREFIX}the device tree is rewritten\\r\\n"
text_parking:   .asciz "${MAILBOX_PREFIX}ACPI's tables are rewritten\\r\\n"
text_outside:   .asciz "a table lies outside memory"
text_one:       .asciz "${MAILBOX_PREFIX}one CPU only: "
text_stopped:   .asciz "${MAILBOX_PREFIX}stopped: "
text_exception: .asciz "${MAILBOX_PREFIX}unexpected exception esr="
text_level:     .asciz "not entered at EL${level}"
text_kernel:    .asciz "there is no kernel"
        .text
`;

const DATA = `
        .bss
        .balign 64
vars:   .space  VARS_SIZE
        .balign 16
        .space  2048
stack_top:
        .balign 64
tree_copy:
        .space  TREE_ROOM
        .balign 4096
mailboxes:
        .space  MAILBOX_SIZE * CORES_MOST
image_end:
`;

const PEN_MUTANTS: readonly string[] = [
  "keepsAddress",
  "forgetsToLook",
  "readsEarly",
  "clearsEarly",
  "leavesInterface",
  "keepsInterrupt",
  "hangs",
] satisfies PenMutant[];

/** The loader's sources in order. */
export function mailboxLoaderSources({ level, mutants = [] }: MailboxLoaderOptions): readonly Source[] {
  const inPen = mutants.find((one): one is PenMutant => PEN_MUTANTS.includes(one));
  const elsewhere = mutants.find((one): one is StartMutant => !PEN_MUTANTS.includes(one));
  return [
    { name: "mp_mailbox", text: sharedEquates(LOADER_KERNEL_AT) + begin(level) + ENDS + exceptions(level) },
    deviceTreeReader("psci"),
    ACPI_TABLES,
    startText(level, elsewhere),
    penText(level, inPen),
    deviceTreeWriter("spin-table"),
    CONSOLE,
    ...kernelStart(level),
    { name: "data", text: TEXTS(level) + DATA },
  ];
}

/**
 * The loader, an arm64 Image for `-kernel`. Labels of interest: `mailboxes`, `pen`,
 * `pen_wait`, `pen_branch`, `start_kernel`, `tree_copy`.
 */
export function mailboxLoader(options: MailboxLoaderOptions): Program {
  return assembleProgram(mailboxLoaderSources(options), {
    name: "mp_mailbox",
    base: BigInt(options.base ?? MAILBOX_LOADER_AT),
  });
}
