/** A guest that drives an NVMe controller in slot 1 by polling. */
import { assembleProgram } from "../../machine/a64/program.ts";

const QUEUES = 0x4020_0000;
const PAGE = 0x1000;
const DATA = QUEUES + 4 * PAGE;

/** A command as 16 words: opcode, address of the data, and Command Dwords 10–12. */
function command(opcode: number, address: number, ...dwords: number[]): string {
  const words = [opcode, 1, 0, 0, 0, 0, address, 0, 0, 0, ...dwords];
  return `        .word ${[...words, ...new Array(16 - words.length).fill(0)].join(", ")}\n`;
}

const ADMIN = command(5, QUEUES + 2 * PAGE, 1 | 7 << 16, 1) +
  command(1, QUEUES + 3 * PAGE, 1 | 7 << 16, 1 | 1 << 16);

/** Reads a block; writes A to block 100, flushes, writes B there. */
const inputOutput = (reads: number) =>
  command(2, DATA, reads, 0, 0) + command(1, DATA + PAGE, 100, 0, 0) + command(0, 0) +
  command(1, DATA + 2 * PAGE, 100, 0, 0);

const source = (delay: string, reads: number) => `
        ldr     x20, =0x4010008000
        ldr     x21, =0x10000000
        ldr     x22, =${QUEUES}
        ldr     x23, =0x09000000
        str     w21, [x20, #0x10]
        str     wzr, [x20, #0x14]
        mov     w0, #6
        strh    w0, [x20, #4]
        ldr     w0, =0x00070007
        str     w0, [x21, #0x24]
        str     w22, [x21, #0x28]
        str     wzr, [x21, #0x2c]
        add     x0, x22, #1, lsl #12
        str     w0, [x21, #0x30]
        str     wzr, [x21, #0x34]
        ldr     w0, =0x00460001
        str     w0, [x21, #0x14]
        ldr     x1, =${DATA + PAGE}             // the data: a block of A, a block of B
        mov     w0, #'A'
        strb    w0, [x1]
        strb    w0, [x1, #511]
        add     x1, x1, #1, lsl #12
        mov     w0, #'B'
        strb    w0, [x1]
        strb    w0, [x1, #511]
        adr     x1, admin
        mov     x2, x22
        mov     w3, #128
        bl      copy
        add     x4, x21, #1, lsl #12                // the doorbells
        mov     w0, #2
        str     w0, [x4]
        add     x1, x22, #1, lsl #12
        mov     w0, #2
        bl      poll
        adr     x1, input
        add     x2, x22, #3, lsl #12
        mov     w3, #256
        bl      copy
        mov     w0, #4
        str     w0, [x4, #8]
        add     x1, x22, #2, lsl #12
        mov     w0, #4
        bl      poll
${delay}        ldr     x1, =${DATA}                    // what block 4096 begins with
        ldrb    w0, [x1]
        str     w0, [x23]
        mov     w0, #'!'
        str     w0, [x23]
1:      wfi
        b       1b
copy:   ldr     w5, [x1], #4                    // w3 bytes from x1 to x2
        str     w5, [x2], #4
        subs    w3, w3, #4
        b.ne    copy
        ret
poll:   add     x1, x1, x0, lsl #4              // until completion w0 of the queue at x1 is there
2:      ldrh    w5, [x1, #-2]
        tbz     w5, #0, 2b
        ret
        .align  6
admin:
${ADMIN}input:
${inputOutput(reads)}`;

/**
 * The guest, for `-kernel`: it writes the first byte of MiB 2 and "!", and waits. With `idle` it counts so far between
 * the read of the disk and that of the byte. `reads` is the block whose first byte it writes, by default the first of MiB 2.
 */
export function nvmeGuest(idle = 0, reads = 4096): Uint8Array {
  const delay = `        ldr     w6, =${idle}\n3:      subs    w6, w6, #1\n        b.ne    3b\n`;
  return assembleProgram(source(idle === 0 ? "" : delay, reads), { name: "nvme guest", base: 0x40080000n })
    .bytes;
}
