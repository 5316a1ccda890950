/** PSCI: results recorded from qemu-system-aarch64 7.2, what calls do, and the conduit. */
import { assertEquals } from "@std/assert";
import { Clock } from "../../machine/clock.ts";
import { EventHub, type MachineEvent } from "../../machine/events.ts";
import { boardConduit, conduitFrom, type PowerController, Psci } from "../../machine/psci.ts";

class FakePower implements PowerController {
  readonly cpuCount = 2;
  readonly log: string[] = [];
  readonly on = [true, false];
  startResult: "ok" | "alreadyOn" | "pending" | undefined;

  startCpu(index: number, entry: bigint, context: bigint): "ok" | "alreadyOn" | "pending" {
    const result = this.startResult ?? (this.on[index] ? "alreadyOn" : "ok");
    if (result === "ok") {
      this.on[index] = true;
      this.log.push(`start ${index} ${entry.toString(16)} ${context.toString(16)}`);
    }
    return result;
  }
  stopCpu(index: number): void {
    this.log.push(`stop ${index}`);
  }
  isOn(index: number): boolean {
    return this.on[index] === true;
  }
  suspend(index: number): void {
    this.log.push(`suspend ${index}`);
  }
  powerOff(exitCode: number): void {
    this.log.push(`off ${exitCode}`);
  }
  reset(): void {
    this.log.push("reset");
  }
}

interface Setup {
  readonly power: FakePower;
  readonly events: MachineEvent[];
  call(x0: bigint, x1?: bigint, x2?: bigint, x3?: bigint): bigint | undefined;
}

function setUp(): Setup {
  const power = new FakePower();
  const hub = new EventHub(new Clock());
  const events: MachineEvent[] = [];
  hub.add({ classes: ["trap"], observe: (event) => events.push(event) });
  const psci = new Psci("hvc", power, hub);
  return { power, events, call: (x0, x1 = 0n, x2 = 0n, x3 = 0n) => psci.call(0, "hvc", [x0, x1, x2, x3]) };
}

const NOT_SUPPORTED = 0xffff_ffff_ffff_ffffn;
const INVALID_PARAMETERS = 0xffff_ffff_ffff_fffen;
const ALREADY_ON = 0xffff_ffff_ffff_fffcn;

Deno.test("Psci.call gives the results of QEMU 7.2", () => {
  // Recorded from a bare-metal program on qemu-system-aarch64 -M virt -smp 2.
  // deno-fmt-ignore
  const cases: [call: bigint[], result: bigint][] = [
    [[0x8400_0000n],                        0x1_0001n],
    [[0x8400_0006n],                        2n],
    [[0x8400_0007n],                        NOT_SUPPORTED],
    [[0x8400_0005n],                        NOT_SUPPORTED],
    [[0xc400_0005n],                        NOT_SUPPORTED],
    [[0x8000_0000n],                        NOT_SUPPORTED],
    [[0x8400_000bn],                        NOT_SUPPORTED],
    [[0x8400_0004n],                        0n],
    [[0xc400_0004n, 1n],                    1n],
    [[0xc400_0004n, 2n],                    INVALID_PARAMETERS],
    [[0xc400_0004n, 0x8000_0001n],          INVALID_PARAMETERS],
    [[0xc400_0004n, 9n, 1n],                0n],
    [[0xc400_0004n, 9n, 0x1_0000_0000n],    0n],
    [[0xc400_0003n, 1n, 0x4008_0002n],      INVALID_PARAMETERS],
    [[0xc400_0003n, 5n, 0x4008_0000n],      INVALID_PARAMETERS],
    [[0xc400_0003n, 0n, 0x4008_0000n],      ALREADY_ON],
    [[0x8400_000an, 0x8400_0000n],          0n],
    [[0x8400_000an, 0x8400_0001n],          0n],
    [[0x8400_000an, 0xc400_0001n],          0n],
    [[0x8400_000an, 0x8400_0005n],          NOT_SUPPORTED],
    [[0x8400_000an, 0xc400_0005n],          NOT_SUPPORTED],
    [[0x8400_000an, 0x8400_0008n],          0n],
    [[0x8400_000an, 0x8400_0009n],          0n],
    [[0x8400_000an, 0x8400_000an],          0n],
    [[0x8400_000an, 0x8000_0000n],          NOT_SUPPORTED],
    [[0x8400_000an, 0x95c1_ba60n],          0n],
    [[0x8400_000an, 0x95c1_ba61n],          NOT_SUPPORTED],
    [[0xc400_0001n, 0x2_0000n],             INVALID_PARAMETERS],
    [[0xc400_0001n, 0x8000_0000n],          INVALID_PARAMETERS],
    [[0x8400_0001n, 0x1_0100_0000n],        INVALID_PARAMETERS],
  ];
  const { call } = setUp();
  for (const [[id = 0n, ...rest], result] of cases) {
    assertEquals(call(id, ...rest), result, `${id.toString(16)} ${rest.map((value) => value.toString(16))}`);
  }
});

Deno.test("Psci.call takes W0, and W1–W3 of 32-bit functions, as the SMC calling convention says", () => {
  // QEMU looks at the X registers here and refuses.
  const { call, power } = setUp();
  assertEquals(call(0xffff_ffff_8400_0000n), 0x1_0001n);
  assertEquals(call(0x8400_0004n, 0x1_0000_0001n), 1n);
  assertEquals(call(0x8400_0003n, 0x5_0000_0001n, 0x5_4000_0000n, 0x5_0000_0007n), 0n);
  assertEquals(power.log, ["start 1 40000000 7"]);
});

Deno.test("Psci CPU_ON starts a CPU once, by the 64-bit, the 32-bit and the PSCI 0.1 identifier", () => {
  for (const id of [0xc400_0003n, 0x8400_0003n, 0x95c1_ba60n]) {
    const { call, power } = setUp();
    assertEquals(call(id, 1n, 0x4000_1000n, 0x1234_5678n), 0n);
    assertEquals(power.log, ["start 1 40001000 12345678"]);
    assertEquals(call(id, 1n, 0x4000_1000n, 0n), ALREADY_ON);
    assertEquals(call(0xc400_0004n, 1n), 0n);
  }
});

Deno.test("Psci CPU_ON reports a start that is pending", () => {
  const { call, power } = setUp();
  power.startResult = "pending";
  assertEquals(call(0xc400_0003n, 1n, 0n, 0n), 0xffff_ffff_ffff_fffbn);
});

Deno.test("Psci CPU_OFF, CPU_SUSPEND, SYSTEM_OFF and SYSTEM_RESET act on the caller and the machine", () => {
  // deno-fmt-ignore
  const cases: [id: bigint, log: string[]][] = [
    [0x8400_0002n, ["stop 0"]],
    [0x95c1_ba5fn, ["stop 0"]],
    [0xc400_0001n, ["suspend 0"]],
    [0x8400_0001n, ["suspend 0"]],
    [0x8400_0008n, ["stop 0", "off 0"]],
    [0x8400_0009n, ["stop 0", "reset"]],
  ];
  for (const [id, log] of cases) {
    const { call, power } = setUp();
    assertEquals(call(id), 0n);
    assertEquals(power.log, log);
  }
});

Deno.test("Psci.call emits firmwareCalled before what follows the call", () => {
  const { call, events } = setUp();
  call(0xc400_0004n, 1n, 0n, 7n);
  assertEquals(events, [{
    kind: "firmwareCalled",
    instant: 0,
    cpu: 0,
    index: 0,
    conduit: "hvc",
    function: 0xc400_0004,
    arguments: [1n, 0n, 7n],
    result: 1n,
  }]);
});

Deno.test("Psci.call leaves the other conduit's instruction to the architecture", () => {
  const psci = new Psci("smc", new FakePower(), new EventHub(new Clock()));
  assertEquals(psci.call(0, "hvc", [0x8400_0000n, 0n, 0n, 0n]), undefined);
  assertEquals(psci.call(0, "smc", [0x8400_0000n, 0n, 0n, 0n]), 0x1_0001n);
  const none = new Psci("none", new FakePower(), new EventHub(new Clock()));
  assertEquals(none.call(0, "smc", [0x8400_0000n, 0n, 0n, 0n]), undefined);
});

Deno.test("boardConduit and conduitFrom follow QEMU's rule", () => {
  // deno-fmt-ignore
  const offered = [
    boardConduit(false, false, false), boardConduit(false, true, false), boardConduit(true, false, false),
    boardConduit(true, true, false), boardConduit(true, false, true), boardConduit(false, true, true),
  ];
  assertEquals(offered, ["hvc", "smc", "hvc", "smc", "none", "smc"]);
  assertEquals([1, 2, 3].map((level) => conduitFrom("hvc", level)), ["hvc", "none", "none"]);
  assertEquals([1, 2, 3].map((level) => conduitFrom("smc", level)), ["smc", "smc", "none"]);
  assertEquals(conduitFrom("none", 1), "none");
});
