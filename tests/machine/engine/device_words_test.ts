/** Code compiled to access devices: the same events and the same instants, and interrupts right after what raises them. */
import { assert, assertEquals } from "@std/assert";
import { History } from "../../../journal/history.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";
import { EagerEngine } from "./eager.ts";

/** Polls the UART and writes to it with its interrupt off, then on, by registers that other code uses for memory. */
const PROGRAM = `
        ldr     x1, =0x09000000         // PL011
        ldr     x2, =0x08000000         // GICD
        ldr     x3, =0x08010000         // GICC
        adr     x5, vectors
        msr     vbar_el1, x5
        mov     w4, #2
        str     w4, [x2, #0x104]        // ISENABLER1: interrupt 33
        mov     w4, #0x100
        str     w4, [x2, #0x820]        // ITARGETSR of 33
        mov     w4, #1
        str     w4, [x2]
        str     w4, [x3]
        mov     w4, #0xff
        str     w4, [x3, #4]            // PMR
        adr     x10, place
        mov     x8, #0
again:  mov     x6, #24
poll:   ldr     w4, [x1, #0x18]         // UARTFR
        add     x9, x9, x4
        tbnz    w4, #5, poll
        subs    x6, x6, #1
        b.ne    poll
        add     x8, x8, #1
        ubfx    x7, x8, #4, #1
        lsl     w7, w7, #5              // UARTIMSC: the transmit interrupt, for 16 rounds of 32
        str     w7, [x1, #0x38]
        mov     w4, #46
        strb    w4, [x1]
        add     x9, x9, #1
        add     x9, x9, #2
        ldr     w4, [x1, #0x40]         // UARTMIS
        add     x9, x9, x4
        mov     x0, x10
        bl      both
        mov     x0, x1
        bl      both
        msr     daifclr, #2
        ldrb    w4, [x1, #0x3c]
        strb    w4, [x1]
        ldr     w4, [x1, #0x24]!
        sub     x1, x1, #0x24
        ldp     w4, w11, [x1, #0x18]
        stp     w4, w11, [x1, #0x24]
        stlrb   w4, [x1]
        add     x9, x9, #3
        msr     daifset, #2
        b       again
both:   ldr     w4, [x0, #0x28]         // memory, or UARTFBRD
        add     w4, w4, #5
        str     w4, [x0, #0x28]
        ldrsh   x4, [x0, #0x28]
        add     x9, x9, x4
        ret
        .balign 16
place:  .space  64
        .ltorg
        .balign 2048
vectors:
        .space  0x280
        ldr     w20, [x3, #12]
        mov     w21, #0x20
        str     w21, [x1, #0x44]        // UARTICR
        mrs     x21, elr_el1
        eor     x22, x21, x22, ror #7
        add     x23, x23, #1
        str     w20, [x3, #16]
        eret
`;

const STEPS = 150_000, PART = 30_011;

function run(isEager: boolean, gathers: boolean) {
  const guest = flatGuest(PROGRAM), configuration = guest.configuration({ gicVersion: 2 });
  const machine = new Machine(configuration, guest.images, { engine: "reference" });
  const early = new EagerEngine(), history = new History(), events: MachineEvent[] = [];
  if (isEager) Object.assign(machine, { engine: early });
  machine.board.events.add(history);
  if (!gathers) {
    machine.board.events.add({
      classes: history.classes,
      observe: (event) => void events.push(event),
      observeAccess: ({ kind, cpu, device, address, size }, instant, index, value) =>
        void events.push({ kind, instant, cpu, index, device, address, size, value: BigInt(value) }),
    });
  }
  for (let end = PART; end < STEPS; end += PART) machine.run(end);
  const { root } = machine.stateRoot();
  return { machine, events, root, historyRoot: history.close(root), compiled: early.compiled };
}

Deno.test("compiled code accesses devices as the reference engine does, and stops where it must", () => {
  const reference = run(false, false);
  const { slots } = reference.machine.board.cpus[0] as Machine["currentCpu"];
  assert(
    (slots[8] as bigint) > 200n && (slots[23] as bigint) > 100n,
    `rounds ${slots[8]}, interrupts ${slots[23]}`,
  );
  for (const gathers of [false, true]) {
    const { events, root, historyRoot, compiled } = run(true, gathers);
    for (const [index, event] of events.entries()) assertEquals(event, reference.events[index]);
    if (!gathers) assertEquals(events.length, reference.events.length);
    assertEquals([root, historyRoot], [reference.root, reference.historyRoot]);
    assert(compiled !== undefined && compiled.regions > 0);
  }
});
