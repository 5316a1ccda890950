/** Diff as a command: two planted differences found from end to end, filters, and the page it writes. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { escaped } from "../../cli/diff_html.ts";
import { assembleProgram } from "../../machine/a64/program.ts";
import { Machine } from "../../machine/machine.ts";
import { physicalAddress } from "../../machine/address.ts";
import { flatGuest } from "../journal/guest.ts";
import { ECHO, guestImage, hindsight, record, TestFolder } from "./support.ts";

/** A driver: looks for "arm,pl031" in the device tree that X0 points at; if it is there, reads the clock's number. */
const DRIVER = `
        .equ    UART, 0x09000000
        .equ    RTC,  0x09010000
start:  mov     x19, x0
        ldr     w21, [x19, #4]
        rev     w21, w21
        add     x21, x19, x21
        ldr     x20, =UART
        adr     x0, hello
        bl      print
scan:   adr     x1, name
        mov     x2, x19
compare: ldrb   w3, [x1], #1
        cbz     w3, found
        ldrb    w4, [x2], #1
        cmp     w3, w4
        b.eq    compare
        add     x19, x19, #1
        cmp     x19, x21
        b.lo    scan
        b       done
found:  ldr     x5, =RTC
        ldr     w6, [x5, #0xfe0]
        adr     x0, ready
        bl      print
done:   adr     x0, bye
        bl      print
        ldr     x0, =0x84000008
        hvc     #0
print:  ldrb    w1, [x0], #1
        cbz     w1, 1f
        str     w1, [x20]
        b       print
1:      ret
hello:  .asciz  "probing\\n"
ready:  .asciz  "rtc <ready> & running\\n"
bye:    .asciz  "bye\\n"
name:   .asciz  "arm,pl031"
        .align  3
`;

/** The device tree that a machine gives its guest. */
function deviceTree(): Uint8Array {
  const guest = flatGuest("b .");
  const { board } = new Machine(guest.configuration({ memoryMiB: 8 }), guest.images);
  const at = (address: number, size: number) =>
    board.memory.viewBytes(physicalAddress(address), size).slice();
  const pointer = Number(new DataView(at(0x40000018, 8).buffer).getBigUint64(0, true));
  // The room behind it is left out: strings come last (Devicetree Specification 5.2).
  const header = new DataView(at(pointer, 40).buffer), size = header.getUint32(12) + header.getUint32(32);
  const bytes = at(pointer, size);
  new DataView(bytes.buffer).setUint32(4, size);
  return bytes;
}

/** Where bytes are among others. */
function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  const at = bytes.findIndex((_, start) => wanted.every((byte, index) => bytes[start + index] === byte));
  assert(at >= 0);
  return at;
}

/** Bytes in which some are replaced by as many others. */
function replaced(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const [old, other] = [from, to].map((text) => new TextEncoder().encode(text));
  const copy = bytes.slice();
  copy.set(other!, indexOf(bytes, old!));
  return copy;
}

async function recordDriver(folder: TestFolder, name: string, tree: Uint8Array): Promise<string> {
  const dtb = folder.write(`${name}.dtb`, tree);
  const kernel = folder.write("driver.bin", assembleProgram(DRIVER, { base: 0x40080000n }).bytes);
  const { code, err } = await hindsight([
    "record",
    "-kernel",
    kernel,
    "-dtb",
    dtb,
    "-m",
    "8",
    "-o",
    folder.path(name),
  ]);
  assertEquals(code, 0, err);
  return folder.path(name);
}

Deno.test("diff names the driver that a wrong device-tree property stops", async () => {
  using folder = new TestFolder();
  const tree = deviceTree();
  const good = await recordDriver(folder, "good", tree);
  const bad = await recordDriver(folder, "bad", replaced(tree, "arm,pl031", "arm,pl03l"));
  const page = folder.path("page.html");
  const { code, out, err } = await hindsight(["diff", good, bad, "--html", page]);
  assertEquals(code, 1, err);
  assertMatch(out, /The machines are not the same:\n.*\n {2}dtb /);
  assertMatch(out, /first {5}instant [0-9,]+: /);
  assertMatch(out, /1 later line only in good, 0 only in bad, 1 in both\n +− rtc <ready> & running\n/);
  assertMatch(
    out,
    /cause\? {4}memory differs from the start in 1 byte, first at 0x[0-9a-f]+: ".?arm,pl031" in good, ".?arm,pl03l" in bad\n/,
  );
  assertMatch(out, /read first at instant [0-9,]+ by cpu0 EL1 .* ldrb w4, .*: 0x31 in good, 0x6c in bad/);
  const parted = await hindsight(["bisect", good, bad]);
  assertMatch(
    parted.out,
    /\n {2}dtb .*\n {2}memory differs from the start in 1 byte.*\n.*\nNeither run has inputs\.\n$/,
  );
  const json = JSON.parse((await hindsight(["diff", good, bad, "--json"])).out);
  const kinds = Object.fromEntries(json.followed.kinds.map((row: { name: string }) => [row.name, row]));
  assertEquals(kinds["deviceRead rtc"].counts.left, 1);
  assertEquals(json.followed.console.only, [1, 0]);
  const html = Deno.readTextFileSync(page);
  assertMatch(html, /<title>good and bad<\/title>/);
  assertMatch(html, /deviceRead device=rtc address=0x9010fe0/);
  assert(!html.includes("<ready>"), "the guest's text is escaped");
  assert(html.includes("rtc &#60;ready&#62; &#38; running"));
  const open: string[] = [];
  for (const [, end, name] of html.matchAll(/<(\/?)([a-z0-9]+)[^>]*>/g)) {
    if (end === "/") assertEquals(open.pop(), name);
    else if (!["meta", "input"].includes(name!)) open.push(name!);
  }
  assertEquals(open, [], "every element is closed");
  assert(!/<script|https?:|src=|href=|@import|url\(/i.test(html), "nothing from elsewhere, no script");
  const exhaustive = await hindsight(["diff", good, bad, "--exhaustive", "--from", "50000", "--json"]);
  const [episode] = JSON.parse(exhaustive.out).exhaustive.episodes;
  const [read] = episode.after[0];
  assertEquals([read.kind, read.memory[0].value, episode.after[1][0].memory[0].value], [
    "stepRetired",
    "31",
    "6c",
  ]);
});

Deno.test("diff of a run and one with a patched image, whose events come later, finds the patch and what is the same", async () => {
  using folder = new TestFolder();
  const old = await record(folder, "old", ECHO);
  // Behind the load of the byte, the store that echoes it is of another register: zeros are echoed.
  const image = guestImage().slice(), at = indexOf(image, assembleProgram("ldr w0, [x20]").bytes) + 4;
  image.set(assembleProgram("str w1, [x20]").bytes, at);
  folder.write("patched.bin", image);
  const script = folder.write("patched.script", 'expect "> "\nsend "au\\r"\nexpect "> "\nsend "q"\n');
  const made = [
    "record",
    "-kernel",
    folder.path("patched.bin"),
    "-m",
    "8",
    "-semihosting",
    "--script",
    script,
  ];
  assertEquals((await hindsight([...made, "-o", folder.path("new")])).code, 0);
  const { code, out } = await hindsight(["diff", old, folder.path("new")]);
  assertEquals(code, 1);
  assertMatch(
    out,
    /first {5}instant 34: cpu0 deviceWritten device=uart0 .* value=0x61 in old, value=0x0 in new/,
  );
  assertMatch(out, /b9000281 {2}str w1, \[x20\]/);
  const json = JSON.parse((await hindsight(["diff", old, folder.path("new"), "--json"])).out);
  const { same, timing, value } = json.followed.counts;
  assert(value >= 3, "the bytes echoed");
  assert(same + timing > 10, "and the rest is there in both");
});

Deno.test("diff hides what filters say, tells how much, and then takes the runs for equal", async () => {
  using folder = new TestFolder();
  const first = await record(folder, "first", 'at 20 send "a"\nexpect "a"\nsend "q"');
  const second = await record(folder, "second", 'at 30 send "a"\nexpect "a"\nsend "q"');
  const all = await hindsight(["diff", first, second]);
  assertEquals(all.code, 1);
  assertMatch(all.out, /followed {2}only timing: no event differs in anything else/);
  const timing = await hindsight(["diff", first, second, "--ignore", "timing"]);
  assertEquals(timing.code, 0);
  assertMatch(timing.out, /^Different only in what the filters hide\./);
  assertMatch(timing.out, /hidden {4}[0-9]+ differences? by your filters: [0-9]+ the same at another time/);
  const uart = await hindsight([
    "diff",
    first,
    second,
    "--ignore",
    "uart0",
    "--ignore-address",
    "0x8000000..0x8020000",
  ]);
  assertEquals(uart.code, 1, "the inputs are not hidden");
  assert(!uart.out.includes("hidden"), "the input is all that differs");
});

Deno.test("diff refuses words, addresses and files that it cannot use", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const wrongs: [string[], RegExp][] = [
    [["--ignore", "timming"], /there is no "timming". Did you mean "timing"/],
    [["--only", "uart7"], /there is no "uart7". Did you mean "uart0"/],
    [["--ignore-address", "5"], /such as 0x9000000\.\.0x9001000, not "5"/],
    [["--ignore-address", "0x20..0x10"], /a first address and one after the last/],
    [["--from", "3"], /--from is for --exhaustive/],
    [["--exhaustive", "--from", "99999999"], /the run ends at instant/],
  ];
  for (const [more, message] of wrongs) {
    const { code, err } = await hindsight(["diff", run, run, ...more]);
    assertEquals(code, 2, more.join(" "));
    assertMatch(err, message);
  }
  const equal = await hindsight(["diff", run, run, "--html", folder.path("none.html")]);
  assertEquals([equal.code, equal.err.includes("is not written")], [0, true]);
});

Deno.test("escaped leaves no character that HTML or a terminal would take for more than itself", () => {
  assertEquals(escaped(`<a href='x' b="&">`), "&#60;a href=&#39;x&#39; b=&#34;&#38;&#34;&#62;");
  assertEquals(escaped("\x1b[31m\u202e\ud800é"), "·[31m··é");
});

Deno.test("bisect between two runs names machines, inputs, and from where on an expression holds", async () => {
  using folder = new TestFolder();
  const good = await record(folder, "good", 'at 20 send "a"\nexpect "a"\nsend "q"');
  const bad = await record(
    folder,
    "bad",
    'at 20 send "b"\nexpect "b"\nsend "q"',
    "-rtc",
    "base=2020-01-01T00:00:00",
  );
  const { code, out } = await hindsight(["bisect", good, bad, "--when", 'register("w0") == 0x62']);
  assertEquals(code, 0);
  assertMatch(out, /^The runs part at instant 20: .*consoleReceived/);
  assertMatch(
    out,
    /The machines or their images are not the same:\n +good +bad\n +clock +2026-01-01T00:00:00.000Z +2020-01-01T00:00:00.000Z\n/,
  );
  assertMatch(out, /1 input of the runs differs, 1 the same \(− only good, \+ only bad/);
  assertMatch(out, /− +20 {2}cpu0 {2}consoleReceived .*"a"\n.*\+ +20 {2}cpu0 {2}consoleReceived .*"b"/);
  assertMatch(
    out,
    /good: it was not seen to hold\nbad: it holds from instant 34 on\nThat is 14 steps after the runs part/,
  );
  const json = JSON.parse((await hindsight(["bisect", good, bad, "--json"])).out);
  assertEquals([json.kind, json.instant, json.inputs.length, json.equalInputs], ["divergent", 20, 1, 1]);
  assertEquals((await hindsight(["bisect", good, good])).code, 1);
  assertMatch((await hindsight(["bisect", good, bad, "--inputs"])).err, /takes one run/);
});
