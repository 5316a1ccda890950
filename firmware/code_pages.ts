/**
 * The guest of icache-on-fault (US20190227934A1): writes functions into pages, calls them in an order of its own, and
 * rewrites some of them, with the maintenance that the architecture asks of it (Arm ARM B2.4.4).
 *
 * Link address CODE_PAGES_BASE, entered at EL1 with the MMU off; needs 16 MiB of RAM, the PL011 and PSCI by HVC. It
 * prints what it has computed every so many calls, and powers off. `codePagesOutput` says what that is.
 */
import { assembleProgram, type Program } from "../machine/a64/program.ts";

/** Where `-kernel` puts a flat image. */
export const CODE_PAGES_BASE = 0x4008_0000n;

/** Pages of functions, and functions in each: powers of two. */
const PAGES = 32, FUNCTIONS = 8;
/** Calls between two rewritten pages, and between two lines of output: powers of two. */
const CALLS_PER_REWRITE = 16, CALLS_PER_LINE = 512;
/** Linear congruential generator of what is called and written (Knuth's MMIX). */
const MULTIPLIER = 6364136223846793005n, INCREMENT = 1442695040888963407n;
const SUM_AT_START = 0x1234_5678n;

/** What the guest does. */
export interface CodePagesOptions {
  /** Calls of functions, a multiple of 512. */
  readonly calls: number;
  /** Translation and data caches are on; otherwise only fetches are cacheable. */
  readonly caches: boolean;
}

/** The program. Throws RangeError for calls that are not a multiple of 512. */
export function codePages({ calls, caches }: CodePagesOptions): Program {
  if (calls <= 0 || calls % CALLS_PER_LINE !== 0) {
    throw new RangeError(`Cannot make ${calls} calls: not a multiple of ${CALLS_PER_LINE}`);
  }
  return assembleProgram(source(calls, caches), { name: "code_pages", base: CODE_PAGES_BASE });
}

function source(calls: number, caches: boolean): string {
  return String.raw`
        .equ    UART,           0x09000000
        .equ    PSCI_OFF,       0x84000008
        .equ    CODE,           0x40400000      // pages of functions
        .equ    SCTLR_I,        1 << 12
        .equ    SCTLR_I_C_M,    (1 << 12) | (1 << 2) | 1

_start: ldr     x26, =UART
        bl      ${caches ? "translate" : "fetch_cacheable"}
        ldr     x20, =CODE
        mov     x21, #0                         // calls done
        ldr     x22, =${calls}
        ldr     x23, =${MULTIPLIER}
        ldr     x24, =${INCREMENT}
        mov     x25, #1                         // state of the generator
        ldr     x27, =${SUM_AT_START}           // what the functions make
        mov     x19, #0
1:      mov     x0, x19                         // every page once
        bl      write_page
        add     x19, x19, #1
        cmp     x19, #${PAGES}
        b.ne    1b
loop:   bl      random
        and     x1, x0, #${PAGES - 1}
        lsr     x2, x0, #8
        and     x2, x2, #${FUNCTIONS - 1}
        add     x3, x20, x1, lsl #12
        add     x3, x3, x2, lsl #9              // a function every 512 bytes
        mov     x0, x27
        blr     x3
        mov     x27, x0
        add     x21, x21, #1
        tst     x21, #${CALLS_PER_REWRITE - 1}
        b.ne    2f
        bl      random
        and     x0, x0, #${PAGES - 1}
        bl      write_page
2:      tst     x21, #${CALLS_PER_LINE - 1}
        b.ne    3f
        bl      put_sum
3:      cmp     x21, x22
        b.ne    loop
        ldr     w0, =PSCI_OFF
        hvc     #0
        b       .

// x0 = bits 63 to 32 of the generator's next state.
random: madd    x25, x25, x23, x24
        lsr     x0, x25, #32
        ret

// Writes all functions of page x0: x0 = ror(x0 + immediate, 7), each with an immediate of its own. Changes x0 to x7.
write_page:
        mov     x7, x30
        add     x4, x20, x0, lsl #12
        add     x5, x4, #1, lsl #12
1:      bl      random
        and     x0, x0, #0xffff
        ldr     w1, move
        orr     w1, w1, w0, lsl #5
        ldr     w2, move + 4
        stp     w1, w2, [x4]
        ldr     w1, move + 8
        ldr     w2, move + 12
        stp     w1, w2, [x4, #8]
        add     x4, x4, #512
        cmp     x4, x5
        b.ne    1b
        sub     x4, x4, #1, lsl #12
        mrs     x1, ctr_el0
        ubfx    x2, x1, #16, #4
        mov     x3, #4
        lsl     x2, x3, x2                      // the smallest line of data
        and     x1, x1, #15
        lsl     x3, x3, x1                      // and of instructions
        mov     x6, x4
2:      dc      cvau, x6
        add     x6, x6, x2
        cmp     x6, x5
        b.lo    2b
        dsb     ish
        mov     x6, x4
3:      ic      ivau, x6
        add     x6, x6, x3
        cmp     x6, x5
        b.lo    3b
        dsb     ish
        isb
        ret     x7
        .balign 8
move:   movz    x1, #0
        add     x0, x0, x1
        ror     x0, x0, #7
        ret

// Prints x27 as 16 hexadecimal digits and a line end. Changes x0 to x2.
put_sum:
        mov     x1, #60
1:      lsr     x0, x27, x1
        and     x0, x0, #15
        cmp     x0, #9
        add     w2, w0, #'0'
        add     w0, w0, #('a' - 10)
        csel    w0, w0, w2, hi
        strb    w0, [x26]
        subs    x1, x1, #4
        b.pl    1b
        mov     w0, #'\n'
        strb    w0, [x26]
        ret

fetch_cacheable:
        mrs     x0, sctlr_el1
        orr     x0, x0, #SCTLR_I
        msr     sctlr_el1, x0
        isb
        ret

// Every address to itself in blocks of 1 GiB: devices below 0x40000000, Write-Back memory above.
translate:
        adr     x0, table
        msr     ttbr0_el1, x0
        ldr     x0, =0x280803519                // IPS 40 bits, EPD1, inner shareable Write-Back walks, T0SZ 25
        msr     tcr_el1, x0
        ldr     x0, =0x04ff                     // 0: Write-Back, 1: Device-nGnRE
        msr     mair_el1, x0
        isb
        tlbi    vmalle1
        dsb     nsh
        mrs     x0, sctlr_el1
        ldr     x1, =SCTLR_I_C_M
        orr     x0, x0, x1
        msr     sctlr_el1, x0
        isb
        ret
        .balign 4096
table:  .quad   0x60000000000405, 0x40000701
        .space  4096 - 16
`;
}

/** The lines that the program prints, by a model of it. */
export function codePagesOutput({ calls }: CodePagesOptions): string[] {
  const bits64 = (value: bigint): bigint => BigInt.asUintN(64, value);
  let state = 1n, sum = SUM_AT_START;
  const random = (): number => {
    state = bits64(state * MULTIPLIER + INCREMENT);
    return Number(state >> 32n);
  };
  const immediates = Array.from(
    { length: PAGES },
    () => Array.from({ length: FUNCTIONS }, () => BigInt(random() & 0xffff)),
  );
  const lines: string[] = [];
  for (let call = 1; call <= calls; call++) {
    const chosen = random();
    const added = bits64(
      sum + (immediates[chosen & (PAGES - 1)]?.[chosen >>> 8 & (FUNCTIONS - 1)] as bigint),
    );
    sum = added >> 7n | bits64(added << 57n);
    if (call % CALLS_PER_REWRITE === 0) {
      immediates[random() & (PAGES - 1)] = Array.from({ length: FUNCTIONS }, () => BigInt(random() & 0xffff));
    }
    if (call % CALLS_PER_LINE === 0) lines.push(sum.toString(16).padStart(16, "0"));
  }
  return lines;
}
