/** The registers of a GICv3: who may use them, who traps, and which interface they lead to (Arm IHI 0069, chapter 12). */
import { assertEquals } from "@std/assert";
import { encodingOfSystemRegister } from "../../../machine/a64/system_names.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { GicAccess, GicCpuInterface } from "../../../machine/cpu/gic_interface.ts";
import { interruptStatus } from "../../../machine/cpu/interrupts.ts";
import {
  patchSystemRegister,
  peekSystemRegister,
  readSystemRegister,
  writeSystemRegister,
} from "../../../machine/cpu/system_registers.ts";
import { putAt, testCpus } from "./support.ts";

const FMO = 1n << 3n, IMO = 1n << 4n, NS = 1n, IRQ = 2n, FIQ = 4n;
const TC = 1 << 10, TALL0 = 1 << 11, TALL1 = 1 << 12, TDIR = 1 << 14;

/** An interface that notes what reaches it. */
class Notes implements GicCpuInterface {
  hypervisorControl = 0;
  readonly list: string[] = [];
  last: GicAccess | undefined;
  read(register: string, access: GicAccess): bigint {
    this.list.push(`read ${register}`);
    this.last = access;
    return 5n;
  }
  write(register: string, value: bigint, access: GicAccess): void {
    this.list.push(`write ${register} ${value}`);
    this.last = access;
  }
  reset(): void {
    this.list.push("reset");
  }
}

function build(options: { el2?: boolean; el3?: boolean } = {}) {
  const gic = new Notes();
  const { cpu } = testCpus({ ...options, gic });
  gic.list.length = 0;
  return { cpu, gic };
}

const encodingOf = (name: string): number => encodingOfSystemRegister(name) as number;

/** What an access ends in: the level that takes an exception, or what reached the interface. */
function outcome(cpu: Cpu, gic: Notes, name: string, isRead = true): string {
  cpu.pending = undefined;
  gic.list.length = 0;
  if (isRead) readSystemRegister(cpu, encodingOf(name), 0);
  else writeSystemRegister(cpu, encodingOf(name), 0, 1n);
  const exception = cpu.pending as Cpu["pending"];
  if (exception === undefined) return gic.list.join();
  return exception.syndrome >>> 26 === 0 ? "undefined" : `trap ${exception.target}`;
}

Deno.test("registers of a GICv3 are UNDEFINED without one, and ID registers say so", () => {
  const { cpu } = testCpus({ el2: true, el3: true });
  for (const name of ["ICC_PMR_EL1", "ICC_SRE_EL1", "ICC_SRE_EL3", "ICH_HCR_EL2"]) {
    assertEquals(outcome(cpu, new Notes(), name), "undefined", name);
  }
  const fields = (cpu: Cpu) =>
    [["ID_AA64PFR0_EL1", 24n], ["ID_PFR1_EL1", 28n]].map(([name, shift]) =>
      peekSystemRegister(cpu, name as string) >> (shift as bigint) & 15n
    );
  assertEquals([fields(cpu), fields(build().cpu)], [[0n, 0n], [1n, 1n]]);
  assertEquals(peekSystemRegister(cpu, "ICC_PMR_EL1"), 0n);
});

Deno.test("registers that do not exist with 5 bits of priority are UNDEFINED", () => {
  const { cpu, gic } = build({ el2: true, el3: true });
  for (const name of ["ICC_AP0R1_EL1", "ICC_AP1R3_EL1", "ICH_AP0R1_EL2", "ICH_LR4_EL2"]) {
    assertEquals(outcome(cpu, gic, name), "undefined", name);
  }
});

Deno.test("a look at ICC_IAR0_EL1 and ICC_IAR1_EL1 acknowledges nothing", () => {
  const { cpu, gic } = build();
  peekSystemRegister(cpu, "ICC_IAR0_EL1");
  peekSystemRegister(cpu, "ICC_IAR1_EL1");
  readSystemRegister(cpu, encodingOf("ICC_IAR1_EL1"), 0);
  assertEquals(gic.list, ["read ICC_HPPIR0_EL1", "read ICC_HPPIR1_EL1", "read ICC_IAR1_EL1"]);
});

Deno.test("HCR_EL2.FMO and IMO give Non-secure EL1 the virtual interface, EL2 never", () => {
  const names = ["ICC_IAR0_EL1", "ICC_IAR1_EL1", "ICC_PMR_EL1"];
  const reached = (hcr: bigint, level: 1 | 2) => {
    const { cpu, gic } = build({ el2: true });
    patchSystemRegister(cpu, "HCR_EL2", hcr);
    putAt(cpu, level);
    return names.map((name) => outcome(cpu, gic, name).slice(5, 8)).join();
  };
  assertEquals([0n, FMO, IMO, FMO | IMO].map((hcr) => reached(hcr, 1)), [
    "ICC,ICC,ICC",
    "ICV,ICC,ICV",
    "ICC,ICV,ICV",
    "ICV,ICV,ICV",
  ]);
  assertEquals(reached(FMO | IMO, 2), "ICC,ICC,ICC");
});

Deno.test("ICH_HCR_EL2 traps EL1 by group, and SGIs trap while interrupts are routed to EL2", () => {
  const { cpu, gic } = build({ el2: true });
  putAt(cpu, 1);
  const trapped = (control: number) => {
    gic.hypervisorControl = control;
    const reads = ["ICC_IAR0_EL1", "ICC_IAR1_EL1", "ICC_PMR_EL1"];
    const writes = ["ICC_DIR_EL1", "ICC_SGI1R_EL1"];
    return [
      ...reads.filter((name) => outcome(cpu, gic, name) === "trap 2"),
      ...writes.filter((name) => outcome(cpu, gic, name, false) === "trap 2"),
    ].map((name) => name.slice(4, -4)).join();
  };
  assertEquals([0, TC, TALL0, TALL1, TDIR].map(trapped), ["", "PMR,DIR,SGI1R", "IAR0", "IAR1", "DIR"]);
  patchSystemRegister(cpu, "HCR_EL2", IMO);
  assertEquals(trapped(0), "SGI1R");
});

Deno.test("SCR_EL3.IRQ and FIQ trap to EL3 what EL1 and EL2 do with the physical interface", () => {
  const { cpu, gic } = build({ el2: true, el3: true });
  const names = ["ICC_IAR0_EL1", "ICC_IAR1_EL1", "ICC_PMR_EL1"];
  const trapped = (scr: bigint, hcr: bigint, level: 1 | 2 | 3) => {
    patchSystemRegister(cpu, "SCR_EL3", scr | NS);
    patchSystemRegister(cpu, "HCR_EL2", hcr);
    putAt(cpu, level);
    return names.filter((name) => outcome(cpu, gic, name) === "trap 3").map((name) => name.slice(4, -4))
      .join();
  };
  assertEquals([trapped(FIQ, 0n, 1), trapped(IRQ, 0n, 2)], ["IAR0", "IAR1"]);
  assertEquals([trapped(IRQ | FIQ, 0n, 2), trapped(IRQ | FIQ, 0n, 3)], ["IAR0,IAR1,PMR", ""]);
  assertEquals([trapped(IRQ | FIQ, FMO, 1), trapped(IRQ | FIQ, FMO | IMO, 1)], ["IAR1", ""]);
});

Deno.test("the interface is told of the level, the Security state and the routes of an access", () => {
  const { cpu, gic } = build({ el2: true, el3: true });
  const told = (scr: bigint, level: 1 | 2 | 3) => {
    patchSystemRegister(cpu, "SCR_EL3", scr);
    putAt(cpu, level);
    outcome(cpu, gic, "ICC_CTLR_EL1");
    const { secure, secureBank, fiqToMonitor, irqToMonitor } = gic.last as GicAccess;
    return [gic.last?.level, secure, secureBank, fiqToMonitor, irqToMonitor];
  };
  assertEquals(told(0n, 1), [1, true, true, false, false]);
  assertEquals(told(NS | FIQ, 1), [1, false, false, true, false]);
  assertEquals(told(NS | IRQ, 3), [3, true, false, false, true]);
  assertEquals(told(0n, 3), [3, true, true, false, false]);
});

Deno.test("an interrupt of Group 1 is an IRQ in its own Security state below EL3, an FIQ elsewhere", () => {
  const { cpu } = build({ el2: true, el3: true });
  const seen = (line: "secureGroup1Line" | "nonSecureGroup1Line", scr: bigint, level: 1 | 2 | 3) => {
    patchSystemRegister(cpu, "SCR_EL3", scr);
    putAt(cpu, level);
    cpu[line] = true;
    const status = Number(interruptStatus(cpu)) >> 6;
    cpu[line] = false;
    return ["none", "FIQ", "IRQ"][status];
  };
  assertEquals([seen("secureGroup1Line", 0n, 1), seen("secureGroup1Line", NS, 1)], ["IRQ", "FIQ"]);
  assertEquals([seen("nonSecureGroup1Line", 0n, 1), seen("nonSecureGroup1Line", NS, 2)], ["FIQ", "IRQ"]);
  assertEquals([seen("secureGroup1Line", 0n, 3), seen("nonSecureGroup1Line", NS, 3)], ["FIQ", "FIQ"]);
});
