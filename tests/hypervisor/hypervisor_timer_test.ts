/** EL2's timer for several systems. */
import { assertEquals, assertThrows } from "@std/assert";
import { HypervisorTimer } from "../../hypervisor/hypervisor_timer.ts";
import { Vcpu } from "../../hypervisor/vcpu.ts";
import type { VirtualGic } from "../../hypervisor/virtual_gic.ts";
import { putAt, testCpus } from "../machine/cpu/support.ts";

/** A timer with two users, on two CPUs; what it asked of the interrupt controller. */
function timers() {
  const { cpus, clock } = testCpus({ el2: true, count: 2 }), asked: string[] = [];
  const gic = {
    claim: (interrupt: number) => void asked.push(`claim ${interrupt}`),
    physical: {
      writeWord: (_cpu: unknown, owner: number, register: string, _n: number, value: number) =>
        void asked.push(`${register} of ${owner}: ${value.toString(16)}`),
    },
  } as unknown as VirtualGic;
  const timer = new HypervisorTimer(gic), vcpus = cpus.map((cpu) => new Vcpu(cpu, 2));
  for (const cpu of cpus) putAt(cpu, 2);
  return { timer, first: vcpus[0]!, second: vcpus[1]!, clock, asked };
}

const programmed = (vcpu: Vcpu) => [vcpu.get("CNTHP_CTL_EL2") & 1n, vcpu.get("CNTHP_CVAL_EL2")];

Deno.test("HypervisorTimer fires at the first count of all users, on each CPU, and tells whose it was", () => {
  const { timer, first, second, clock, asked } = timers();
  timer.use("a");
  timer.use("b");
  timer.started(first);
  assertEquals(asked, ["claim 26", "claim 26", "ISENABLER of 0: 4000000"]);
  assertEquals(programmed(first)[0], 0n);
  timer.set(first, "a", 200n);
  timer.set(first, "b", 100n);
  timer.set(second, "a", 50n);
  assertEquals([programmed(first), programmed(second)], [[1n, 100n], [1n, 50n]]);
  timer.set(first, "b", undefined);
  assertEquals(programmed(first), [1n, 200n]);
  timer.set(first, "b", 300n);
  // A step has 8 ns, a count 16.
  clock.instant = 2 * 250;
  assertEquals(timer.take(first), ["a"]);
  assertEquals(programmed(first), [1n, 300n]);
  clock.instant = 2 * 300;
  assertEquals([timer.take(first), timer.take(second), programmed(first)[0]], [["b"], ["a"], 0n]);
  assertThrows(() => timer.set(first, "c", 1n), RangeError, '"c" has not asked');
});

Deno.test("HypervisorTimer is restored from its section, and has none without users", () => {
  const { timer, first } = timers(), other = timers().timer, idle = timers().timer;
  for (const each of [timer, other]) each.use("a");
  timer.set(first, "a", 77n);
  const [section] = timer.save("timer");
  other.restore("timer", () => section!);
  assertEquals(other.save("timer"), timer.save("timer"));
  assertEquals(idle.save("timer"), []);
  const stranger = timers().timer;
  stranger.use("b");
  assertThrows(() => stranger.restore("timer", () => section!), RangeError, "no system a");
});
