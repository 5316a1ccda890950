/** A session of the real gdb at a small guest, where gdb-multiarch is installed. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { symbolElf } from "../../../cli/gdb/symbol_elf.ts";
import { gdbTranscript, hasGdb, pipeTo } from "../../timetravel/gdb_process.ts";
import { TestFolder } from "../support.ts";
import { counterGuest, recordGuest } from "../../journal/guest.ts";

/** What is typed, and what has to come. */
// deno-fmt-ignore
const SESSION: readonly (readonly [command: string, answer: RegExp])[] = [
  ["info threads",                       /\* 1 +Thread 1 "cpu0" \(EL1, on.*\n +2 +Thread 2 "cpu1" \(EL1, off/],
  ["break load0",                        /^Breakpoint 1 at 0x4008005c$/],
  ["continue",                           /hit Breakpoint 1, 0x000000004008005c in load0/],
  ["continue",                           /hit Breakpoint 1, 0x000000004008005c in load0/],
  ["print $instant",                     /^\$1 = 263$/],
  ["reverse-continue",                   /hit Breakpoint 1, 0x000000004008005c in load0/],
  ["print $instant",                     /^\$2 = 210$/],
  ["delete",                             /^$/],
  ["watch *(long*)&counter",             /^Hardware watchpoint 2/],
  ["continue",                           /cpu0.*hit Hardware watchpoint 2.*Old value = 0\nNew value = 1\n.*store0/s],
  ["continue",                           /cpu1.*hit Hardware watchpoint 2.*Old value = 1\nNew value = 2\n.*store1/s],
  ["reverse-continue",                   /cpu1.*hit Hardware watchpoint 2.*Old value = 2\nNew value = 1\n.*0x0*40080090 in store1/s],
  ["reverse-continue",                   /cpu0.*hit Hardware watchpoint 2.*Old value = 1\nNew value = 0\n.*0x0*40080068 in store0/s],
  ["print $instant",                     /^\$3 = 213$/],
  ["delete",                             /^$/],
  ["thread 2",                           /Switching to thread 2/],
  ["stepi",                              /enable_mmu/],
  ["thread 1",                           /Switching to thread 1/],
  ["break *(&vectors+0x280)",              /^Breakpoint 3/],
  ["continue",                           /hit Breakpoint 3, 0x0000000040080a80 in vectors/],
  ["print/x $ELR_EL1",                   /^\$4 = 0x/],
  ["reverse-stepi",                      /0x00000000400800/],
  ["print $pc == $4",                    /^\$5 = 1$/],
  ["print $x0 = 1",                      /hindsight fork/],
  ["info registers system",              /SCTLR_EL1 +0x/],
  ["delete",                             /^$/],
  ["continue",                           /No more reverse-execution history.*report/s],
  ["monitor root",                       /^state root [0-9a-f]{64}/],
  ["reverse-stepi",                      /report/],
];

Deno.test({
  name: "the real gdb goes forward and back, watches, switches CPUs, and comes to the same root",
  ignore: !hasGdb(),
  async fn() {
    using folder = new TestFolder();
    const guest = counterGuest(150), { file, end } = recordGuest(guest);
    const run = folder.write("counter.hindsight", file.bytes);
    const kernel = folder.write("counter.bin", guest.program.bytes);
    const names = [...guest.program.symbols].map(([name, address]) => ({ name, address }));
    const symbols = folder.write("counter.elf", symbolElf(names));
    const commands = SESSION.map(([command]) => command);
    const [, ...answers] = await gdbTranscript(pipeTo(run, "--image", kernel), symbols, commands);
    for (const [index, [command, wanted]] of SESSION.entries()) assertMatch(answers[index]!, wanted, command);
    const root = answers[SESSION.findIndex(([command]) => command === "monitor root")]!;
    assertEquals(root.split(" ")[2], end.stateRoot.toHex());
    assert(answers.at(-1)!.endsWith("[Inferior 1 (Remote target) detached]"));
  },
});
