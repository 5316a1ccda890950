/** el3-simdev: accesses of unplugged devices done at EL3, devices that move, snapshots, failing models, misuse. */
import { assertEquals, assertThrows } from "@std/assert";
import "../../../hypervisor/install.ts";
import {
  REFUSED_ACCESSES,
  SINGLE_ACCESSES,
  UNALIGNED_ACCESSES,
} from "../../../firmware/el3_simdev/register_accesses.ts";
import {
  REGISTER_GUEST_BASE,
  type RegisterGuestOptions,
  registerGuestSource,
} from "../../../firmware/el3_simdev/register_guest.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { RtcPl031 } from "../../../machine/devices/rtc_pl031.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { Machine } from "../../../machine/machine.ts";
import { programGuest } from "../../journal/guest.ts";

const SIMULATED: ConfigurationInput = {
  unplugged: ["uart0", "rtc"],
  monitors: [{ level: 3, systems: [{ name: "el3-simdev", options: {} }] }],
};
const ALL = { accesses: [...SINGLE_ACCESSES, ...UNALIGNED_ACCESSES], waits: true } as const;

function machineOf(wanted: RegisterGuestOptions, more: ConfigurationInput): Machine {
  const source = registerGuestSource({ ...wanted, conduit: more.monitors === undefined ? "hvc" : "smc" });
  const guest = programGuest(assembleProgram(source, { name: "registers", base: REGISTER_GUEST_BASE }));
  return new Machine(guest.configuration({ memoryMiB: 64, ...more }), guest.images);
}

/** What the guest printed until it powered off. */
function printedBy(machine: Machine): string {
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  assertEquals(machine.run(1_000_000).reason, "poweredOff");
  return text;
}

Deno.test("el3-simdev gives what hardware gives, through a snapshot and moves at each thousandth step", () => {
  const wanted = printedBy(machineOf(ALL, {}));
  const machine = machineOf(ALL, SIMULATED), other = machineOf(ALL, SIMULATED);
  let text = "";
  for (const each of [machine, other]) {
    each.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  }
  const [system] = machine.board.monitors, cpu = machine.board.cpus[0]!;
  for (let at = 0; machine.run((at + 1) * 1000).reason === "limit"; at++) {
    const verb = at % 4 < 2 ? "plug" : "unplug", name = at % 2 === 0 ? "rtc" : "uart0";
    system?.prepareCommand(cpu, `el3-simdev ${verb} ${name}`)();
  }
  assertEquals(text, wanted);
  text = "";
  other.run(20_000);
  const third = machineOf(ALL, SIMULATED);
  third.restore(other.snapshot());
  const before = text, rest = printedBy(third);
  assertEquals(before + rest, wanted);
  assertEquals(printedBy(other), rest);
  assertEquals(third.stateRoot().root.toHex(), other.stateRoot().root.toHex());
});

Deno.test("what el3-simdev cannot do is the abort of a board without the device", () => {
  const missing: ConfigurationInput = { unplugged: ["rtc"] }, wanted = { accesses: REFUSED_ACCESSES };
  assertEquals(
    printedBy(machineOf(wanted, { ...SIMULATED, ...missing })),
    printedBy(machineOf(wanted, missing)),
  );
});

Deno.test("a model that fails stops the machine, which says where", () => {
  const machine = machineOf({ accesses: SINGLE_ACCESSES }, SIMULATED);
  const reasons: string[] = [];
  machine.board.events.add({
    classes: ["trap"],
    observe: (event) => void (event.kind === "monitorStopped" && reasons.push(event.reason)),
  });
  const { write } = RtcPl031.prototype;
  try {
    RtcPl031.prototype.write = () => {
      throw new RangeError("no such register");
    };
    assertEquals(machine.run(100_000).reason, "poweredOff");
  } finally {
    RtcPl031.prototype.write = write;
  }
  assertEquals(reasons, ["the model of rtc failed at 0x9010004: no such register"]);
});

Deno.test("el3-simdev refuses to begin with nothing, and commands that it has not", () => {
  const { monitors } = SIMULATED;
  assertThrows(
    () => machineOf(ALL, { monitors: monitors! }),
    ConfigurationError,
    "add unplugged=rtc to -M virt",
  );
  assertThrows(() => machineOf(ALL, { unplugged: ["uart1"] }), ConfigurationError, "add uart1=on to -M virt");
  assertThrows(() => machineOf(ALL, { uart1: true, secure: true }), ConfigurationError, "leave one out");
  assertThrows(
    () => machineOf(ALL, { consoleInput: "uart1" }),
    ConfigurationError,
    "add uart1=on to -M virt",
  );
  const machine = machineOf(ALL, SIMULATED), [system] = machine.board.monitors, cpu = machine.board.cpus[0]!;
  for (
    const [words, why] of [["move rtc", "of uart0, rtc"], ["plug uart1", "of uart0, rtc"], [
      "unplug rtc",
      "already",
    ]]
  ) {
    assertThrows(() => system?.prepareCommand(cpu, `el3-simdev ${words}`), InputRefusedError, why);
  }
});
