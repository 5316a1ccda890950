/** The enable method "spin-table": code, device tree, and CPUs that a kernel releases. */
import { assertEquals, assertThrows } from "@std/assert";
import { assembleProgram } from "../../machine/a64/program.ts";
import { buildBoard } from "../../machine/board.ts";
import { planBoot } from "../../machine/boot.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import { parseDeviceTree } from "../../machine/device_tree_reader.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { Machine } from "../../machine/machine.ts";
import { releaseAddress, SPIN_TABLE_ENTRY, spinTable } from "../../machine/spin_table.ts";
import { flatGuest } from "../journal/guest.ts";

/** Releases CPUs 1–3 one after another and adds up what each leaves: its number, plus 0x10 and the level it is at. */
const guest = flatGuest(`
        mov     x19, #1
        ldr     x20, =${releaseAddress(0)}
        adr     x21, other
        adr     x22, sum
next:   str     x21, [x20, x19, lsl #3]
        dsb     sy
        sev
1:      ldr     x2, [x22, x19, lsl #3]
        cbz     x2, 1b
        add     x19, x19, #1
        cmp     x19, #4
        b.ne    next
        ldr     x0, =0x84000008
        mrs     x1, CurrentEL
        cmp     x1, #8
        b.eq    2f
        hvc     #0
2:      smc     #0
other:  orr     x3, x0, x1
        orr     x3, x3, x2
        mrs     x4, MPIDR_EL1
        and     x4, x4, #0xff
        mrs     x5, CurrentEL
        add     x3, x3, x4
        add     x3, x3, x5, lsl #4
        adr     x6, sum
        str     x3, [x6, x4, lsl #3]
        wfi
        b       .
        .ltorg
        .balign 8
sum:    .space  32
`);

Deno.test("CPUs wait in the spin table and go where their words say, at the kernel's level", () => {
  for (const virtualization of [false, true]) {
    const configuration = guest.configuration({ cpus: 4, enableMethod: "spin-table", virtualization });
    const machine = new Machine(configuration, guest.images);
    assertEquals(machine.run(1_000_000).reason, "poweredOff");
    const at = guest.program.symbols.get("sum") as bigint;
    const bytes = machine.board.memory.readBytes(Number(at) as never, 32);
    const level = virtualization ? 0x80n : 0x40n;
    assertEquals([...new BigUint64Array(bytes.slice().buffer)], [0n, level + 1n, level + 2n, level + 3n]);
  }
});

Deno.test("spinTable is what this assembles to", () => {
  const { bytes } = assembleProgram(
    `
        mrs     x4, MPIDR_EL1
        and     x4, x4, #0xff
        adr     x5, words
        add     x5, x5, x4, lsl #3
1:      wfe
        ldr     x6, [x5]
        cbz     x6, 1b
        mov     x0, #0
        mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        br      x6
        .org    ${releaseAddress(0) - SPIN_TABLE_ENTRY}
words:  .space  64
`,
    { name: "spin.s", base: BigInt(SPIN_TABLE_ENTRY) },
  );
  assertEquals(spinTable(8), new Uint8Array(bytes));
});

Deno.test("the device tree tells the method, the words and what they take of memory", () => {
  const configuration = guest.configuration({ cpus: 2, enableMethod: "spin-table" });
  const { writes } = planBoot(buildBoard(configuration), guest.images);
  const blob = writes.find(({ what }) => what === "device tree")?.bytes as Uint8Array;
  const { root, reservations } = parseDeviceTree(blob, "tree");
  assertEquals(reservations, [{ address: 0x4000_0000n, size: 4096n }]);
  for (const index of [0, 1]) {
    const cpu = root.require("cpus").require(`cpu@${index}`);
    assertEquals(new TextDecoder().decode(cpu.get("enable-method")), "spin-table\0");
    const address = cpu.get("cpu-release-addr") as Uint8Array;
    assertEquals(
      new DataView(address.buffer, address.byteOffset).getBigUint64(0),
      BigInt(releaseAddress(index)),
    );
  }
});

Deno.test("planBoot refuses a spin table where no kernel is entered directly", () => {
  const configuration = parseConfiguration({ enableMethod: "spin-table" });
  assertThrows(() => planBoot(buildBoard(configuration), new Map()), ConfigurationError, "spin-table");
});
