/** What ends a wait, told by its event; and the interrupts of all timers, by the controller's pending bits. */
import { assertEquals } from "@std/assert";
import type { MachineEvent } from "../../machine/events.ts";
import { Machine } from "../../machine/machine.ts";
import { flatGuest } from "../journal/guest.ts";

function reasonsOf(source: string, virtualization: boolean): string[] {
  const guest = flatGuest(source);
  const machine = new Machine(guest.configuration({ cpus: 2, virtualization, quantum: 64 }), guest.images);
  const reasons: string[] = [];
  machine.board.events.add({
    classes: ["detail"],
    observe: (event: MachineEvent) => {
      if (event.kind === "cpuWoken" && event.cpu === 0) reasons.push(event.reason);
    },
  });
  assertEquals(machine.run(100_000).reason, "poweredOff");
  return reasons;
}

/** CPU 0 waits for one thing after another; CPU 1 stores to the cell and sends an event when it is told to. */
const source = (virtualization: boolean) => {
  const conduit = virtualization ? "smc" : "hvc";
  return `
        ldr     x0, =0xc4000003
        mov     x1, #1
        adr     x2, helper
        ${conduit}     #0
        sevl
        wfe                             // no wait
        mov     x5, #0x54               // EVNTEN, bit 5
        msr     CNTKCTL_EL1, x5
        wfe
        msr     CNTKCTL_EL1, xzr
        ${virtualization ? "msr CNTHCTL_EL2, x5\n wfe\n msr CNTHCTL_EL2, xzr" : ""}
        adr     x6, cell
        adr     x9, turn
        mov     x8, #1
        ldxr    x7, [x6]
        str     x8, [x9]                // not the granule watched
        wfe
        mov     x8, #2
        str     x8, [x9]
        wfe
        ldr     x0, =0x84000008
        ${conduit}     #0
        b       .
helper: adr     x6, cell
        adr     x9, turn
1:      ldr     x8, [x9]
        cbz     x8, 1b
        str     x8, [x6]
2:      ldr     x8, [x9]
        cmp     x8, #2
        b.ne    2b
        sev
        b       .
        .ltorg
        .balign 64
cell:   .space  64
turn:   .space  8
`;
};

Deno.test("cpuWoken tells an event stream, a monitor that was cleared and SEV apart", () => {
  assertEquals(reasonsOf(source(false), false), ["eventStream", "monitorCleared", "event"]);
  assertEquals(reasonsOf(source(true), true), ["eventStream", "eventStream", "monitorCleared", "event"]);
});

/** Each timer on its own, due at once: the private interrupts that are pending then go to X20–X24. */
const timers = flatGuest(`
        movz    x1, #0x0800, lsl #16
        mov     x2, #1
        .macro  look prefix, level, result
        msr     \\prefix\\()_CVAL_\\level, xzr
        msr     \\prefix\\()_CTL_\\level, x2
        ldr     w\\result, [x1, #0x200]
        msr     \\prefix\\()_CTL_\\level, xzr
        .endm
        look    CNTP, EL0, 20
        look    CNTV, EL0, 21
        look    CNTHP, EL2, 22
        look    CNTPS, EL1, 23
        look    CNTHV, EL2, 24
        ldr     w25, [x1, #0x200]
        b       .
`);

Deno.test("every timer has its private interrupt", () => {
  const [sha256] = [...timers.images.keys()];
  const image = { sha256: sha256 as string, size: timers.program.bytes.length, name: "timers" };
  const loader = { kind: "image" as const, image, address: 0x4100_0000, forceRaw: true, cpu: 0 };
  const { boot, ...configuration } = timers.configuration({
    secure: true,
    virtualization: true,
    cpuModel: "max",
  });
  const machine = new Machine(
    { ...configuration, boot: { ...boot, kernel: undefined, loaders: [loader] } },
    timers.images,
  );
  machine.run(100);
  const pending = [20, 21, 22, 23, 24, 25].map((n) => Number(machine.board.cpus[0]?.registers.x(n)));
  assertEquals(pending, [1 << 30, 1 << 27, 1 << 26, 1 << 29, 1 << 28, 0]);
});
