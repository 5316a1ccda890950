/** The virtual interrupt controller: forwarded private and shared interrupts, SGIs between CPUs, on both generations. */
import { assert, assertEquals } from "@std/assert";
import type { Cpu } from "../../machine/cpu/cpu.ts";
import { readDevice } from "../../machine/cpu/device_access.ts";
import { ENGINES } from "../../machine/machine.ts";
import { GuestMachine } from "./virtual_gic_support.ts";

const UART_INTERRUPT = 33, TIMER_INTERRUPT = 27;

/** What differs between generations: start of distributor and CPU interface, acknowledge to w20, end, an SGI to a CPU. */
const PARTS = {
  2: String.raw`
        .macro  gic_start
        ldr     x1, =0x08010000
        mov     w2, #0xf0
        str     w2, [x1, #4]
        mov     w2, #1
        str     w2, [x1]
        ldr     x1, =0x08000000
        str     w2, [x1]
        movz    w2, #0x0800, lsl #16
        str     w2, [x1, #0x100]                // PPI 27
        .endm
        .macro  uart_route cpu
        mov     w2, #(1 << \cpu)
        strb    w2, [x1, #(0x800 + 33)]
        .endm
        .macro  acknowledge
        ldr     x1, =0x08010000
        ldr     w20, [x1, #0xc]
        .endm
        .macro  end_interrupt
        ldr     x1, =0x08010000
        str     w20, [x1, #0x10]
        .endm
        .macro  send to
        ldr     x1, =0x08000000
        ldr     w2, =(1 << (16 + \to) | 5)
        str     w2, [x1, #0xf00]
        .endm`,
  3: String.raw`
        .macro  gic_start
        mov     x2, #0xf0
        msr     icc_pmr_el1, x2
        mov     x2, #1
        msr     icc_igrpen1_el1, x2
        ldr     x1, =0x080b0000
        mrs     x3, mpidr_el1
        and     x3, x3, #0xff
        add     x1, x1, x3, lsl #17
        mov     w2, #-1
        str     w2, [x1, #0x80]
        ldr     w2, =((1 << 27) | (1 << 5))
        str     w2, [x1, #0x100]
        ldr     x1, =0x08000000
        mov     w2, #2
        str     w2, [x1]
        mov     w2, #-1
        str     w2, [x1, #0x84]
        .endm
        .macro  uart_route cpu
        mov     w2, #\cpu
        ldr     x3, =(0x6000 + 33 * 8)
        str     w2, [x1, x3]
        .endm
        .macro  acknowledge
        mrs     x20, icc_iar1_el1
        .endm
        .macro  end_interrupt
        msr     icc_eoir1_el1, x20
        .endm
        .macro  send to
        ldr     x2, =(5 << 24 | 1 << \to)
        msr     icc_sgi1r_el1, x2
        .endm`,
} as const;

/**
 * Each CPU takes five interrupts of its virtual timer; CPU 0 sends an SGI to CPU 1, which answers, five times; CPU 1 has
 * the UART's interrupt and echoes. What happened is counted by INTID in memory at 0x40200000 + CPU * 0x1000.
 */
const guest = (version: 2 | 3) =>
  PARTS[version] + String.raw`
        mrs     x27, mpidr_el1
        and     x27, x27, #0xff
        adr     x0, vectors
        msr     vbar_el1, x0
        gic_start
        ldr     x26, =0x40200000
        add     x26, x26, x27, lsl #12
        mov     x0, #1000
        msr     cntv_tval_el0, x0
        mov     x0, #1
        msr     cntv_ctl_el0, x0
        cbnz    x27, second
        ldr     x1, =0x08000000
        uart_route 1
        mov     w2, #2
        str     w2, [x1, #0x104]
        send    1
        b       idle
second: ldr     x1, =0x09000000
        mov     w2, #0x10
        str     w2, [x1, #0x38]                 // UARTIMSC.RXIM
idle:   msr     daifclr, #3
1:      wfi
        b       1b
interrupt:
        acknowledge
        and     x20, x20, #0xffffff
        and     x21, x20, #0x3ff
        add     x3, x26, x21, lsl #2
        ldr     w4, [x3]
        add     w4, w4, #1
        str     w4, [x3]
        cmp     w21, #1023
        b.eq    out
        cmp     w21, #27
        b.eq    timer
        cmp     w21, #5
        b.eq    sgi
        ldr     x1, =0x09000000
        ldrb    w2, [x1]
        strb    w2, [x1]
        b       done
timer:  mov     x0, #1000
        msr     cntv_tval_el0, x0
        cmp     w4, #5
        b.lt    done
        msr     cntv_ctl_el0, xzr
        b       done
sgi:    cbz     x27, back
        send    0
        b       done
back:   cmp     w4, #5
        b.ge    done
        send    1
done:   end_interrupt
out:    eret
        .ltorg
        .align 11
vectors:
        .space  0x280
        b       interrupt
        .space  0x7c
        b       interrupt
        .org    vectors + 0x800
`;

function countOf(guest: GuestMachine, cpu: number, interrupt: number): number {
  const { memory } = guest.machine.board;
  const offset = memory.hostOffset(0x4020_0000 + cpu * 0x1000 + interrupt * 4 as never, 4);
  return memory.view.getUint32(offset, true);
}

for (const version of [2, 3] as const) {
  Deno.test(`VirtualGic forwards timers, a device and SGIs of a GICv${version} on every engine`, () => {
    const ends = Object.keys(ENGINES).map((engine) => {
      const it = new GuestMachine(guest(version), version, 2, engine);
      assertEquals(it.run(1_000_000), "resting");
      it.machine.submit({ kind: "consoleReceived", bytes: new TextEncoder().encode("abc") });
      assertEquals(it.run(1_000_000), "resting");
      for (const cpu of [0, 1]) {
        assertEquals(countOf(it, cpu, TIMER_INTERRUPT), 5, `timer interrupts of cpu${cpu}`);
        assertEquals(countOf(it, cpu, 5), 5, `SGIs of cpu${cpu}`);
      }
      assertEquals(it.console, "abc");
      assertEquals([0, 1].map((cpu) => countOf(it, cpu, UART_INTERRUPT) > 0), [false, true]);
      // A kick for each SGI, none lost; nothing physical stays active.
      assertEquals(it.taken.filter(([, interrupt]) => interrupt === 0).length, 10);
      const acknowledged = it.events.filter(({ kind }) => kind === "virtualInterruptAcknowledged").length;
      const total = [0, 1].flatMap((cpu) => [27, 5, 33].map((interrupt) => countOf(it, cpu, interrupt)));
      assertEquals(acknowledged, total.reduce((sum, count) => sum + count));
      assert(it.gic.save().every(({ bytes }) => bytes.length > 0));
      return { instant: it.machine.instant, root: it.machine.stateRoot().root.toHex(), gic: it.gic.save() };
    });
    for (const end of ends) assertEquals(end, ends[0]);
  });
}

const GICD = 0x0800_0000;
const ISENABLER1 = 0x104, ICENABLER1 = 0x184, ISACTIVER1 = 0x304, ICACTIVER1 = 0x384, ICFGR2 = 0xc08;
const BIT = 1 << (UART_INTERRUPT - 32);

/** A machine whose guest has UART's interrupt enabled and routed to CPU 1, and what looks at both controllers. */
function prepared(version: 2 | 3) {
  const it = new GuestMachine("1: b 1b", version, 2, "reference");
  const [, second] = it.machine.board.cpus as [Cpu, Cpu];
  const device = it.gic.frames[0]!.device, context = { cpu: 1, secure: false };
  const write = (offset: number, value: number, size = 4) => device.write(offset, size, value, context);
  const physical = (offset: number) => Number(readDevice(second, GICD + offset, 4, false));
  write(0, version === 2 ? 1 : 2);
  if (version === 2) write(0x800 + UART_INTERRUPT, 2, 1);
  else {
    write(0x84, 0xffff_ffff);
    write(0x6000 + UART_INTERRUPT * 8, 1);
  }
  write(ISENABLER1, BIT);
  const virtual = (offset: number) => device.read(offset, 4, context);
  return { it, second, write, physical, virtual };
}

for (const version of [2, 3] as const) {
  Deno.test(`VirtualGic mirrors what a guest configures to the board's GICv${version}`, () => {
    const { write, physical } = prepared(version);
    assertEquals(physical(ISENABLER1), BIT);
    const route = version === 2 ? physical(0x800 + 32) >>> 8 & 0xff : physical(0x6000 + UART_INTERRUPT * 8);
    assertEquals(route, version === 2 ? 2 : 1);
    write(ICFGR2, 1 << 3);
    assertEquals(physical(ICFGR2), 1 << 3);
    write(ICENABLER1, BIT);
    assertEquals(physical(ISENABLER1), 0);
  });

  Deno.test(`VirtualGic of a GICv${version} ends a physical interrupt that the guest disables before it takes it`, () => {
    const { it, second, write, physical, virtual } = prepared(version);
    it.machine.board.injectInterrupt(UART_INTERRUPT);
    assertEquals(it.gic.take(second, () => false), UART_INTERRUPT);
    assertEquals([physical(ISACTIVER1), virtual(0x204)], [BIT, BIT]);
    write(ICENABLER1, BIT);
    assertEquals([physical(ISACTIVER1), virtual(0x204)], [0, 0]);
    assertEquals(it.gic.take(second, () => false), undefined);
  });

  Deno.test(`VirtualGic of a GICv${version} ends a physical interrupt with GICD_ICACTIVER, and not before`, () => {
    const { it, second, write, physical } = prepared(version);
    it.machine.board.injectInterrupt(UART_INTERRUPT);
    it.gic.take(second, () => false);
    write(ISACTIVER1, BIT);
    assertEquals(physical(ISACTIVER1), BIT);
    write(ICACTIVER1, BIT);
    assertEquals(physical(ISACTIVER1), 0);
  });

  Deno.test(`VirtualGic of a GICv${version} leaves to the monitor what it claims`, () => {
    const { it, second, physical, virtual } = prepared(version);
    const claimed: number[] = [];
    it.machine.board.injectInterrupt(UART_INTERRUPT);
    it.gic.take(second, (interrupt) => claimed.push(interrupt) > 0);
    assertEquals(claimed, [UART_INTERRUPT]);
    assertEquals([physical(ISACTIVER1), virtual(0x204)], [0, 0]);
  });
}
