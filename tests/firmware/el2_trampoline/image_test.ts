/** Images of el2-trampoline: every form runs, with both VMMs, and what cannot be is refused. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import "../../../hypervisor/install.ts";
import { changedTrampoline, trampolineImage } from "../../../firmware/el2_trampoline/image.ts";
import { nameAtEl2 } from "../../../firmware/el2_trampoline/registers.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import { Machine } from "../../../machine/machine.ts";
import { trampolineMachine } from "./support.ts";

const SAID =
  "guest: the vmkernel's call: 0xffffffffffffffff, the vmkernel's registers: 0x0000000000000000, " +
  "rounds: 0x0000000000000003\r\n" +
  "vmkernel: unknown request: 0xffffffffffffffff, reason: 0x0000000000000003, entered: 0x0000000000000004, " +
  "interrupts missed: 0x0000000000000000\r\n";
const guest = { memory: 0x4200_0000, size: 0x20_0000, entry: 0n };

Deno.test("trampolineImage() makes images that run, in each form and with each VMM", () => {
  for (const [form, vmm] of [["plain", "a64"], ["tags", "typescript"], ["redirection", "a64"]] as const) {
    const { machine, console } = trampolineMachine({ form, vmm, pauth: form === "tags" });
    assertEquals(machine.run(20_000).reason, "poweredOff", `${form}, ${vmm}: ${console()}`);
    assertEquals(console(), SAID, `${form}, ${vmm}`);
  }
});

Deno.test("trampolineImage() refuses what it cannot build, and changedTrampoline() what is not there", () => {
  assertThrows(() => trampolineImage({ form: "redirection", period: 1000, guest }), RangeError, "no timer");
  assertThrows(() => trampolineImage({ guest: { ...guest, size: 0x1001 } }), RangeError, "not a multiple");
  assertThrows(() => changedTrampoline({ guest }, "trampoline", "nop nop", ""), RangeError, "0 times");
  assertThrows(() => changedTrampoline({ guest }, "nonesuch", "nop", ""), RangeError, "nonesuch");
  assertThrows(() => nameAtEl2("HCR_EL2", false), RangeError, "no register of a world");
});

Deno.test("the VMM in TypeScript goes on from a snapshot to the same root", () => {
  const [one, other] = [0, 1].map(() => trampolineMachine({ vmm: "typescript" }).machine) as [
    Machine,
    Machine,
  ];
  one.run(3_000);
  other.restore(one.snapshot());
  one.run(20_000);
  other.run(20_000);
  assertEquals(one.instant, other.instant);
  assertEquals(one.stateRoot().root.toHex(), other.stateRoot().root.toHex());
});

Deno.test("the VMM in TypeScript is refused where it cannot be, with the reason", () => {
  const monitor = (options: Record<string, string>, more: readonly string[] = []) => ({
    monitors: [{
      level: 2 as const,
      systems: [{ name: "el2-trampoline", options }, ...more.map((name) => ({ name, options: {} }))],
    }],
  });
  const vectors = "0x40203000";
  // deno-fmt-ignore
  const cases = [
    [monitor({}), "vectors=ADDRESS"],
    [monitor({ vectors: "here" }), "vectors is an address"],
    [monitor({ vectors: "0x40203010" }), "multiple of 0x800"],
    [monitor({ vectors, scale: "1" }), "scale"],
    [monitor({ vectors }, ["time-scale"]), "beside others"],
    [{ ...monitor({ vectors }), virtualization: false }, "virtualization=on"],
    [{ ...monitor({ vectors }), gicVersion: 3 as const }, "gic-version=2"],
  ] as const;
  for (const [configuration, why] of cases) {
    const error = assertThrows(() => trampolineMachine({ configuration }), ConfigurationError);
    assertStringIncludes(error.message, why);
  }
  const { machine } = trampolineMachine({ vmm: "typescript" });
  assertThrows(
    () => machine.submit({ kind: "monitorCommanded", level: 2, command: "go" }),
    Error,
    "takes no commands",
  );
  assertThrows(
    () => machine.submit({ kind: "timeScaleChanged", numerator: 1, denominator: 2 }),
    Error,
    "has none",
  );
});
