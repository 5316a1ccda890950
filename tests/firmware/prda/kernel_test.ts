/** The PRDA kernel: what can be built, sums, and what it says where it cannot run. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { prdaKernel, type PrdaKernelOptions } from "../../../firmware/prda/kernel.ts";
import type { SchemeName } from "../../../firmware/prda/schemes.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { Machine } from "../../../machine/machine.ts";
import { prdaGuest } from "./guest.ts";

/** What a kernel writes until it powers off. */
function consoleOf(options: PrdaKernelOptions, more: ConfigurationInput = {}): string {
  const guest = prdaGuest(prdaKernel(options));
  const machine = new Machine(guest.configuration(more), guest.images, { engine: "reference" });
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  assertEquals(machine.run(3_000_000).reason, "poweredOff", console);
  return console.trim();
}

Deno.test("prdaKernel refuses what cannot be built, and says what can", () => {
  const build = (options: Partial<PrdaKernelOptions>) => () => prdaKernel({ scheme: "alias", ...options });
  assertThrows(build({ pes: 1 }), RangeError, "pes 1: it is 2 to 8");
  assertThrows(build({ pes: 9 }), RangeError, "pes 9");
  assertThrows(build({ rounds: 0 }), RangeError, "rounds 0");
  assertThrows(build({ threads: 17 }), RangeError, "threads 17");
  assertThrows(build({ period: 0.5 }), RangeError, "period 0.5");
  assertThrows(build({ bound: 5000 }), RangeError, "bound 5000");
  assertThrows(build({ level: 3 as 2 }), RangeError, "level 3: it is 1 to 2");
  assertThrows(
    build({ scheme: "none" as SchemeName }),
    RangeError,
    'no PRDA scheme "none": there are alias, ',
  );
});

Deno.test("a kernel of one atomic instruction at EL2, and sections within sections, have exact sums", () => {
  const atomic = consoleOf({ scheme: "aliasAtomic", level: 2, pes: 3, rounds: 1 });
  assertEquals(atomic, "prda 2 prda 2 prda 2 sum 6 expected 6 deferred 0 migrations 0 nested 0 watchdog 0");
  const nested = consoleOf({ scheme: "deferralNested", threads: 1, rounds: 5 });
  assertEquals(nested, "prda 10 prda 0 sum 10 expected 10 deferred 0 migrations 0 nested 5 watchdog 0");
});

Deno.test("the kernel says so where it is entered at another level, has too few CPUs, or no GICv2", () => {
  assertEquals(
    consoleOf({ scheme: "alias", level: 2 }, { virtualization: false }),
    "prda: this kernel is entered at EL2",
  );
  assertEquals(
    consoleOf({ scheme: "alias", pes: 3 }, { cpus: 2 }),
    "prda: a CPU does not start: the kernel is for 3",
  );
  const unexpected = consoleOf({ scheme: "alias" }, { gicVersion: 3 });
  assertMatch(
    unexpected,
    /^prda: unexpected exception, syndrome 0x96000050 at 0x4008[0-9a-f]{4}, address 0x8010004$/,
  );
});
