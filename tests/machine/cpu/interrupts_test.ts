/** Routing and masking of interrupts, against a table written from the Arm ARM (D1.13) by hand, not from the code. */
import { assertEquals } from "@std/assert";
import { hasWakeup, pendingInterrupt } from "../../../machine/cpu/interrupts.ts";
import { callHelper } from "../../../machine/cpu/helpers.ts";
import { patchSystemRegister, peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { takeException } from "../../../machine/cpu/take_exception.ts";
import { eventsOf, putAt, testCpus } from "./support.ts";

const RW = 1n << 31n, TGE = 1n << 27n;
const KINDS = ["fiq", "irq", "serror"] as const;
type Kind = typeof KINDS[number];
/** Bits of SCR_EL3, HCR_EL2 routing, HCR_EL2 virtual, and PSTATE. */
// deno-fmt-ignore
const BITS: Readonly<Record<Kind, { scr: bigint; route: bigint; virtual: bigint; mask: number }>> = {
  fiq:    { scr: 4n, route: 8n,  virtual: 0x40n,  mask: 1 },
  irq:    { scr: 2n, route: 16n, virtual: 0x80n,  mask: 2 },
  serror: { scr: 8n, route: 32n, virtual: 0x100n, mask: 4 },
};

/**
 * Where a physical interrupt goes from EL0–EL3: a digit is the level that takes it, lower case `p` pending, and a
 * letter the level that takes it unless PSTATE masks it: `A` EL1, `B` EL2, `C` EL3.
 */
// deno-fmt-ignore
const ROUTES: readonly [state: string, scr: boolean, hcr: "none" | "route" | "TGE", secure: boolean, levels: string][] = [
  ["no routing",             false, "none",  false, "AApp"],
  ["HCR_EL2 routes",         false, "route", false, "22Bp"],
  ["TGE routes",             false, "TGE",   false, "22Bp"],
  ["SCR_EL3 routes",         true,  "none",  false, "333C"],
  ["both route",             true,  "route", false, "333C"],
  ["Secure",                 false, "none",  true,  "AA-p"],
  ["Secure, HCR_EL2 routes", false, "route", true,  "AA-p"],
  ["Secure, SCR_EL3 routes", true,  "none",  true,  "33-C"],
];

function expectedTarget(code: string, masked: boolean): number | undefined {
  if (code === "p") return undefined;
  const maskable = { A: 1, B: 2, C: 3 }[code];
  if (maskable === undefined) return Number(code);
  return masked ? undefined : maskable;
}

function raiseLine(cpu: ReturnType<typeof testCpus>["cpu"], kind: Kind): void {
  if (kind === "fiq") cpu.fiqLine = true;
  else if (kind === "irq") cpu.irqLine = true;
  else cpu.serrorPending = true;
}

Deno.test("pendingInterrupt routes and masks physical interrupts as the Arm ARM's tables say", () => {
  for (const [state, scr, hcr, secure, levels] of ROUTES) {
    for (const kind of KINDS) {
      for (const level of [0, 1, 2, 3] as const) {
        if (levels[level] === "-" || (level === 1 && hcr === "TGE")) continue;
        for (const masked of [false, true]) {
          const { cpu } = testCpus({ el2: true, el3: true });
          const bits = BITS[kind];
          patchSystemRegister(cpu, "SCR_EL3", (scr ? bits.scr : 0n) | (secure ? 0n : 1n));
          patchSystemRegister(cpu, "HCR_EL2", RW | { none: 0n, route: bits.route, TGE }[hcr]);
          putAt(cpu, level);
          cpu.daif = masked ? bits.mask : 15 & ~bits.mask;
          raiseLine(cpu, kind);
          const found = pendingInterrupt(cpu);
          const name = `${kind} at EL${level}, ${state}, ${masked ? "masked" : "not masked"}`;
          assertEquals(found?.target, expectedTarget(levels[level] as string, masked) as 1 | undefined, name);
          if (found) assertEquals(found.kind, kind, name);
        }
      }
    }
  }
});

Deno.test("pendingInterrupt takes virtual interrupts at EL1 and EL0 where HCR_EL2 routes the physical ones", () => {
  for (const kind of KINDS) {
    const { virtual, route, mask } = BITS[kind];
    // deno-fmt-ignore
    const cases: [name: string, hcr: bigint, level: 0 | 1 | 2 | 3, masked: boolean, secure: boolean, taken: boolean][] = [
      ["at EL1", virtual | route, 1, false, false, true], ["at EL0", virtual | route, 0, false, false, true],
      ["masked", virtual | route, 1, true, false, false], ["at EL2", virtual | route, 2, false, false, false],
      ["not routed", virtual, 1, false, false, false],    ["Secure", virtual | route, 1, false, true, false],
      ["with TGE", virtual | route | TGE, 0, false, false, false],
    ];
    for (const [name, hcr, level, masked, secure, taken] of cases) {
      const { cpu } = testCpus({ el2: true, el3: true });
      patchSystemRegister(cpu, "SCR_EL3", secure ? 0n : 1n);
      patchSystemRegister(cpu, "HCR_EL2", RW | hcr);
      putAt(cpu, level);
      cpu.daif = masked ? mask : 0;
      const found = pendingInterrupt(cpu);
      assertEquals(
        found && [found.kind, found.target],
        taken ? [kind, 1] : undefined,
        `virtual ${kind} ${name}`,
      );
    }
  }
});

Deno.test("takeException of a virtual SError clears HCR_EL2.VSE, of a physical one its pending state", () => {
  const { cpu } = testCpus({ el2: true });
  patchSystemRegister(cpu, "HCR_EL2", RW | 0x120n);
  putAt(cpu, 1);
  cpu.daif = 0;
  cpu.serrorPending = true;
  const physical = pendingInterrupt(cpu);
  assertEquals(physical?.target, 2);
  takeException(cpu, physical!);
  assertEquals([cpu.serrorPending, peekSystemRegister(cpu, "HCR_EL2")], [false, RW | 0x120n]);
  putAt(cpu, 1);
  cpu.daif = 0;
  takeException(cpu, pendingInterrupt(cpu)!);
  assertEquals(peekSystemRegister(cpu, "HCR_EL2"), RW | 0x20n);
  assertEquals(peekSystemRegister(cpu, "ESR_EL1"), 0xbe00_0000n);
});

Deno.test("ISR_EL1 shows physical interrupts, or virtual ones where EL1 has those", () => {
  const { cpu } = testCpus({ el2: true });
  putAt(cpu, 1);
  cpu.irqLine = true;
  assertEquals(peekSystemRegister(cpu, "ISR_EL1"), 0x80n);
  patchSystemRegister(cpu, "HCR_EL2", RW | BITS.irq.route);
  assertEquals(peekSystemRegister(cpu, "ISR_EL1"), 0n);
  cpu.virtualIrqLine = true;
  assertEquals(peekSystemRegister(cpu, "ISR_EL1"), 0x80n);
  cpu.virtualIrqLine = false;
  patchSystemRegister(cpu, "HCR_EL2", RW | BITS.irq.route | BITS.irq.virtual);
  assertEquals(peekSystemRegister(cpu, "ISR_EL1"), 0x80n);
  putAt(cpu, 2);
  cpu.irqLine = false;
  assertEquals(peekSystemRegister(cpu, "ISR_EL1"), 0n);
});

Deno.test("waitForInterrupt waits until an interrupt is pending, masked or not", () => {
  const test = testCpus();
  const { cpu } = test;
  callHelper(cpu, "waitForInterrupt", ["waitForInterrupt"], 0n, 0n);
  assertEquals([cpu.waiting, cpu.attention, hasWakeup(cpu)], ["interrupt", true, false]);
  assertEquals(eventsOf(test, "cpuIdled").map(({ waiting }) => waiting), ["interrupt"]);
  cpu.irqLine = true;
  assertEquals([cpu.daif, hasWakeup(cpu), pendingInterrupt(cpu)], [15, true, undefined]);
  cpu.waiting = "none";
  callHelper(cpu, "waitForInterrupt", ["waitForInterrupt"], 0n, 0n);
  assertEquals(cpu.waiting, "none");
});

Deno.test("waitForEvent takes the event register, and wakes on an event or an unmasked interrupt", () => {
  const { cpu, cpus } = testCpus({ count: 2 });
  const call = (who: typeof cpu, name: "waitForEvent" | "sendEvent" | "sendEventLocal") =>
    callHelper(who, name, [name], 0n, 0n);
  call(cpu, "sendEventLocal");
  call(cpu, "waitForEvent");
  assertEquals([cpu.waiting, cpu.eventRegister], ["none", false]);
  call(cpu, "waitForEvent");
  assertEquals([cpu.waiting, hasWakeup(cpu)], ["event", false]);
  cpu.irqLine = true;
  assertEquals(hasWakeup(cpu), false);
  cpu.daif = 0;
  assertEquals(hasWakeup(cpu), true);
  cpu.daif = 15;
  call(cpus[1]!, "sendEvent");
  assertEquals([hasWakeup(cpu), cpus[1]!.eventRegister], [true, true]);
});

Deno.test("waitForEvent arms the event stream that CNTKCTL_EL1 enables", () => {
  const { cpu, clock } = testCpus();
  patchSystemRegister(cpu, "CNTKCTL_EL1", 1n << 2n | 3n << 4n);
  assertEquals(clock.earliestDeadline, Number.POSITIVE_INFINITY);
  callHelper(cpu, "waitForEvent", ["waitForEvent"], 0n, 0n);
  assertEquals(clock.earliestDeadline, 8 * 16);
});

Deno.test("yieldProcessor ends the turn", () => {
  const { cpu } = testCpus();
  callHelper(cpu, "yieldProcessor", ["yieldProcessor"], 0n, 0n);
  assertEquals([cpu.yielded, cpu.attention], [true, true]);
});
