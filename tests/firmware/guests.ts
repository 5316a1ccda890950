/** Small guests that show that an executable or an image was loaded as its headers say. */
import type { Program } from "../../machine/a64/program.ts";
import { asciz, asm, label, part, program, word } from "../../machine/a64/program_parts.ts";
import { imageHeader } from "../../firmware/image.ts";

/** What the guests print. */
export const GREETING = "loaded\n";

/** A Linux process: prints the greeting and exits with 42, if entry, `.rodata`, `.data` and `.bss` are right. */
export function processGuest(): Program {
  const text = label("text"), answer = label("answer"), zero = label("zero"), start = label("_start");
  return program([
    part(
      "process",
      asm`
      .quad 0, 0, 0         // so that the entry is not the first byte
      ${start}:
      mov   x0, #1
      ldr   x1, =${text}
      mov   x2, #${GREETING.length}
      mov   x8, #64         // write
      svc   #0
      ldr   x1, =${answer}
      ldr   w0, [x1]
      adrp  x1, ${zero}
      ldr   w2, [x1, :lo12:${zero}]
      add   w0, w0, w2
      str   w0, [x1, :lo12:${zero}]
      ldr   w0, [x1, :lo12:${zero}]
      mov   x8, #93         // exit
      svc   #0
      .ltorg
      .rodata`,
    ),
    text,
    asciz(GREETING),
    asm`.data`,
    answer,
    word(42),
    asm`.bss
      .space 0x20000`,
    zero,
    asm`.space 4`,
  ], { base: 0x40_1000n });
}

/** A bare-metal guest of board virt: prints the greeting to the UART and powers off by PSCI. */
function bareMetal(text: ReturnType<typeof label>): ReturnType<typeof part> {
  return part(
    "guest",
    asm`
      mov   x1, #0x09000000 // PL011
      adr   x2, ${text}
    1: ldrb w0, [x2], #1
      cbz   w0, 2f
      strb  w0, [x1]
      b     1b
    2: ldr  w0, =0x84000008 // PSCI SYSTEM_OFF
      hvc   #0
      b     .
      .ltorg`,
  );
}

/** For `-kernel` as ELF; its entry is behind other words. */
export function elfGuest(): Program {
  const start = label("_start"), text = label("text");
  return program([asm`.quad 0`, start, bareMetal(text), text, asciz(GREETING)], { base: 0x4100_0000n });
}

/** For `-kernel` as a Linux image: prints only if x0 holds the address of a device tree. */
export function imageGuest(): Program {
  const start = label("_start"), text = label("text"), end = label("end");
  return program([
    imageHeader({ entry: start, size: end }),
    start,
    asm`
      ldr   w1, [x0]
      ldr   w2, =0xedfe0dd0 // the magic number, big-endian
      cmp   w1, w2
      b.ne  .`,
    bareMetal(text),
    text,
    asciz(GREETING),
    asm`.bss
      .space 0x1000`,
    end,
  ], { base: 0x4020_0000n });
}
