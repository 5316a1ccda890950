/** An init for Linux in which two threads count without a lock: the planted bug that explore finds. */
import { file, type FileTree } from "../../cli/host/guests/file_tree.ts";
import { initramfs } from "../../cli/host/guests/initramfs.ts";
import { elfExecutable } from "../../firmware/elf.ts";
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Two threads on a CPU each add 1 to a counter three times; the first tells what came of it and powers off. */
const SOURCE = `
        .equ    ROUNDS, 3
        .equ    SYS_WRITE, 64
        .equ    SYS_EXIT, 93
        .equ    SYS_SCHED_SETAFFINITY, 122
        .equ    SYS_REBOOT, 142
        .equ    SYS_CLONE, 220
start:  adr     x20, counter
        mov     x21, #1
        bl      pin                             // the first thread to cpu0
        ldr     x0, =0x50f00                    // VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
        adr     x1, stack
        mov     x2, #0
        mov     x3, #0
        mov     x4, #0
        mov     x8, #SYS_CLONE
        svc     #0
        cbz     x0, second
1:      ldr     x0, [x20, #8]                   // until the other is there
        cbz     x0, 1b
        bl      work
2:      ldr     x0, [x20, #16]                  // until the other is done
        yield
        cbz     x0, 2b
        ldr     x0, [x20]
        adr     x1, kept
        cmp     x0, #(2 * ROUNDS)
        b.eq    3f
        adr     x1, lost
3:      mov     x0, #1
        mov     x2, #5
        mov     x8, #SYS_WRITE
        svc     #0
        ldr     x0, =0xfee1dead
        ldr     x1, =672274793
        ldr     x2, =0x4321fedc                 // power off
        mov     x8, #SYS_REBOOT
        svc     #0
second: adr     x20, counter
        mov     x21, #2
        bl      pin
        mov     x0, #1
        str     x0, [x20, #8]
        bl      work
        mov     x0, #1
        str     x0, [x20, #16]
        mov     x0, #0
        mov     x8, #SYS_EXIT
        svc     #0
pin:    sub     sp, sp, #16
        str     x21, [sp]
        mov     x0, #0
        mov     x1, #8
        mov     x2, sp
        mov     x8, #SYS_SCHED_SETAFFINITY
        svc     #0
        add     sp, sp, #16
        ret
work:   mov     x22, #ROUNDS
1:      ldr     x1, [x20]
        mov     x2, #6
3:      subs    x2, x2, #1
        b.ne    3b
        add     x1, x1, #1
        str     x1, [x20]
        mov     x2, #200
2:      subs    x2, x2, #1
        b.ne    2b
        subs    x22, x22, #1
        b.ne    1b
        ret
kept:   .ascii  "kept\\n"
lost:   .ascii  "lost\\n"
        .align  3
counter: .quad  0, 0, 0
        .align  4
        .space  4096
stack:  .quad   0
`;

/** The program, with its labels at the addresses at which Linux loads it. */
export const RACE_INIT: Program = assembleProgram(SOURCE, { name: "init", base: 0x41_0000n });

/** Its executable, for `--symbols`. */
export const raceExecutable = (): Uint8Array<ArrayBuffer> => elfExecutable(RACE_INIT);

/** A first root of Linux with nothing but this program. */
export function raceInitramfs(): Uint8Array {
  const tree: FileTree = new Map([["init", file(raceExecutable(), 0o755)]]);
  return initramfs(tree);
}
