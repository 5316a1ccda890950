/** Reads of the counters, CurrentEL and maintenance by set and way in generated code, beside the reference. */
import { assert, assertEquals } from "@std/assert";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";
import { EagerEngine } from "./eager.ts";

/**
 * EL2 gives EL1 a virtual offset and traps reads of the physical counter one time and not the other; EL1 adds up what
 * it reads, lets EL0 read one counter or none, and EL0 calls it. The vectors of EL2 and EL1 leave out what trapped.
 */
const PROGRAM = `
        adr     x0, trapped
        msr     vbar_el2, x0
        msr     vbar_el1, x0
        mov     x0, #0x80000000
        msr     hcr_el2, x0
        mov     x20, #0x1234
        movk    x20, #0xffff, lsl #32
        mov     x22, #0
        mov     x28, #0
outer:  msr     cntvoff_el2, x20
        add     x20, x20, x20, lsl #3
        and     x1, x28, #3             // EL1PCTEN, EL1PCEN
        msr     cnthctl_el2, x1
        lsr     x1, x28, #2
        and     x1, x1, #3              // EL0PCTEN, EL0VCTEN
        msr     cntkctl_el1, x1
        and     x1, x28, #1
        mov     x0, #0x80000000         // TSW
        orr     x0, x0, x1, lsl #22
        msr     hcr_el2, x0
        isb
        mov     w19, #120
1:      bl      read                    // at EL2
        sub     w19, w19, #1
        cbnz    w19, 1b
        adr     x1, low
        msr     elr_el2, x1
        mov     x1, #0x3c5
        msr     spsr_el2, x1
        eret
low:    mov     w19, #120
1:      bl      read
        dc      isw, xzr
        dc      cisw, x3
        sub     w19, w19, #1
        cbnz    w19, 1b
        adr     x1, user
        msr     elr_el1, x1
        mov     x1, #0x3c0
        msr     spsr_el1, x1
        eret
user:   mov     w19, #120
1:      bl      read
        sub     w19, w19, #1
        cbnz    w19, 1b
        svc     #0
read:   mrs     x2, cntpct_el0
        add     x22, x22, x2
        mrs     x3, cntvct_el0
        eor     x22, x22, x3, lsl #1
        mrs     x4, currentel
        add     x22, x22, x4, lsl #50
        nop
        mrs     x5, cntpct_el0
        sub     x5, x5, x2
        add     x22, x22, x5, lsl #20
        ret
        .balign 2048
trapped:
        .space  0x200
        mrs     x6, currentel           // from the same level: nothing does
        b       .
        .space  0x1f8
        mrs     x6, currentel           // from a lower level
        cmp     x6, #8
        b.eq    2f
        mrs     x7, esr_el1
        lsr     x7, x7, #26
        cmp     x7, #0x15
        b.ne    3f
        hvc     #0
3:      mrs     x7, elr_el1
        add     x7, x7, #4
        msr     elr_el1, x7
        add     x26, x26, #1
        eret
2:      mrs     x7, esr_el2
        lsr     x7, x7, #26
        cmp     x7, #0x16
        b.ne    4f
        add     x28, x28, #1
        b       outer
4:      mrs     x7, elr_el2
        add     x7, x7, #4
        msr     elr_el2, x7
        add     x27, x27, #1
        eret
`;

Deno.test("engines read counters as the reference does, with offsets and traps", () => {
  const guest = flatGuest(PROGRAM);
  const configuration = guest.configuration({ virtualization: true });
  const machines = [...Object.keys(ENGINES), undefined].map((engine) => {
    const machine = engine === undefined
      ? Object.assign(new Machine(configuration, guest.images), { engine: new EagerEngine() })
      : new Machine(configuration, guest.images, { engine });
    for (let end = 30_011; end < 400_000; end += 30_011) machine.run(end);
    return machine;
  });
  const [reference, ...others] = machines as [Machine, ...Machine[]];
  const { slots } = reference.board.cpus[0] as NonNullable<Machine["board"]["cpus"][0]>;
  const [toKernel, toHypervisor, rounds] = [slots[26], slots[27], slots[28]] as [bigint, bigint, bigint];
  assert(
    toKernel > 100n && toHypervisor > 100n && rounds > 16n,
    `${toKernel}, ${toHypervisor}, ${rounds}`,
  );
  for (const other of others) assertEquals(other.stateRoot(), reference.stateRoot(), other.engine.name);
});
