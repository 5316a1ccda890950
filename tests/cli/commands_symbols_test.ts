/** Tests of the option --symbols of the commands that read journals. */
import { assertEquals, assertMatch } from "@std/assert";
import { openRun } from "../../cli/host/open_run.ts";
import { elfExecutable } from "../../firmware/elf.ts";
import { JournalWriter } from "../../journal/file.ts";
import { MemoryFile } from "../../journal/storage.ts";
import { ECHO, FakeHost, guestProgram, hindsight, record, TestFolder } from "./support.ts";

/** Files of the guest's symbols: ELF, and nm's text as if it had been linked at 0, with the offset that puts it right. */
function symbolFiles(folder: TestFolder): string[] {
  const lines = [...guestProgram().symbols].map(([name, address]) =>
    `${(address - 0x40080000n).toString(16).padStart(16, "0")} T ${name}\n`
  );
  const moved = [...guestProgram().symbols].map(([name, address]) =>
    `${(address + 0x1000n).toString(16)} T ${name}\n`
  );
  return [
    folder.write("guest.elf", elfExecutable(guestProgram())),
    `${folder.write("System.map", lines.join(""))}@0x4008_0000`,
    `${folder.write("moved@1/map".replace("/", "-"), moved.join(""))}@-0x1000`,
  ];
}

Deno.test("--symbols names addresses in what events, state, diff and bisect print, from every kind of file", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const other = await record(folder, "other", 'at 20 send "a"\nexpect "a"\nsend "q"');
  for (const file of symbolFiles(folder)) {
    const ask = async (...args: string[]) => {
      const { out, err } = await hindsight([...args, "--symbols", file]);
      assertEquals(err, "", file);
      return out;
    };
    const steps = await ask("events", run, "--class", "step");
    assertMatch(steps, /EL1 {2}0x0000000040080000 <start> +[0-9a-f]{8} {2}ldr x20, 0x[0-9a-f]+ </);
    assertMatch(steps, /0x0000000040080004 <start\+0x4> +[0-9a-f]{8} /);
    assertMatch(steps, /b\.eq 0x[0-9a-f]+ <undefined>/);
    assertMatch(steps, /adr x0, 0x40080800 <vectors> +x0=0x40080800 <vectors>/);
    const taken = await ask("events", run, "--kind", "exceptionTaken,exceptionReturned");
    assertMatch(taken, /returnAddress=0x[0-9a-f]+ <undefined> .* vector=0x40080a00 <vectors\+0x200>/);
    assertMatch(taken, /exceptionReturned .* address=0x[0-9a-f]+ <undefined\+0x4> /);
    const shown = await ask("state", run, "--at", "11");
    assertMatch(shown, /\n {2}pc 0x0000000040080014 <start\+0x14>\n/);
    assertMatch(shown, / x0 0x0000000040080800 <vectors> /);
    assertMatch(shown, / VBAR_EL1 0x0000000040080800 <vectors>/);
    assertMatch(shown, /\nnext {2}cpu0 {2}EL1 {2}0x[0-9a-f]{16} <start\+0x/);
    assertMatch(
      await ask("diff", run, other),
      /> +[0-9]+ {2}cpu0 {2}EL1 {2}0x[0-9a-f]{16} <(start|prompt|wait)[^ ]*>/,
    );
    const found = await ask("bisect", run, "--when", 'register("pc") == symbol("undefined")', "--scan");
    assertMatch(found, /b\.eq 0x[0-9a-f]+ <undefined>/);
    assertMatch(found, / pc 0x[0-9a-f]{16} <undefined>/);
  }
});

Deno.test("--symbols adds the field symbol to JSON, and nothing else", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const [file = ""] = symbolFiles(folder);
  const ask = async (...args: string[]) => {
    const plain = await hindsight([...args, "--json"]);
    const named = await hindsight([...args, "--json", "--symbols", file]);
    const symbols: string[] = [];
    const json = named.out.trim().split("\n").map((line) =>
      JSON.stringify(JSON.parse(line, (key, value) => {
        if (key !== "symbol") return value;
        symbols.push(value);
        return undefined;
      }))
    );
    assertEquals(`${json.join("\n")}\n`, plain.out);
    assertEquals(plain.out.includes('"symbol"'), false);
    return symbols;
  };
  assertEquals(await ask("events", run, "--class", "step", "--from", "6", "--to", "9"), [
    "start",
    "start+0x4",
    "start+0x8",
  ]);
  assertEquals(await ask("events", run, "--kind", "exceptionTaken,exceptionReturned"), [
    "undefined",
    "undefined+0x4",
  ]);
  assertEquals(await ask("state", run, "--at", "7"), ["start+0x4", "start+0x4"]);
  assertEquals(await ask("bisect", run, "--when", 'register("x22") != 0'), ["start+0x8"]);
  assertEquals(await ask("replay", run), []);
});

Deno.test("replay --symbols names the addresses of what differs", async () => {
  using folder = new TestFolder();
  const { reader } = openRun(await record(folder, "run", ECHO), new FakeHost());
  const file = new MemoryFile(), writer = new JournalWriter(file);
  for (const block of reader.blocks) {
    if (block.kind === "index") continue;
    const payload = reader.payload(block.number);
    if (block.kind === "events") {
      const { rows } = payload as { rows: unknown[][] };
      const taken = rows.findIndex(([kind]) => kind === "exceptionTaken");
      if (taken >= 0) rows[taken] = rows[taken]!.map((value) => value === 0x40080a00n ? 0x40080000n : value);
    }
    writer.append(block.kind, payload, block);
  }
  writer.finish();
  const changed = folder.write("changed", file.bytes);
  const [symbols = ""] = symbolFiles(folder);
  const { code, err } = await hindsight(["replay", changed, "--symbols", symbols]);
  assertEquals(code, 1);
  assertMatch(
    err,
    /returnAddress: 0x[0-9a-f]+ <undefined>.* vector: 0x40080000 <start>.* the replay has exceptionTaken/,
  );
  assertMatch(err, /vector: 0x40080a00 <vectors\+0x200>/);
  assertEquals(/</.test((await hindsight(["replay", changed])).err), false);
});
