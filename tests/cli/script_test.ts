/** Tests of the script language. */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/errors.ts";
import { parseAction, parseScript } from "../../cli/script.ts";
import type { Input } from "../../machine/events.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

// deno-fmt-ignore
const ACTIONS: readonly (readonly [text: string, input: Input])[] = [
  ['send "ab\\r"',                { kind: "consoleReceived", bytes: bytes(97, 98, 13) }],
  ['send "\\u001b#\\""  # key',    { kind: "consoleReceived", bytes: bytes(27, 35, 34) }],
  ["inject irq 33",               { kind: "interruptInjected", interrupt: 33 }],
  ["switch  cpu 1",               { kind: "cpuSwitchForced", target: 1 }],
  ["scale 3/2",                   { kind: "timeScaleChanged", numerator: 3, denominator: 2 }],
  ["scale 0.25",                  { kind: "timeScaleChanged", numerator: 25, denominator: 100 }],
  ["scale 2",                     { kind: "timeScaleChanged", numerator: 2, denominator: 1 }],
  ["power cut",                   { kind: "powerCut" }],
  ["key power",                   { kind: "powerButtonPressed" }],
  ["poke 0x40000000 0xff",        { kind: "memoryPatched", address: 0x40000000, bytes: bytes(255) }],
  ["poke 0x40000000 0x0102",      { kind: "memoryPatched", address: 0x40000000, bytes: bytes(2, 1) }],
  ["poke 1_000 0xdeadbeef",       { kind: "memoryPatched", address: 1000, bytes: bytes(0xef, 0xbe, 0xad, 0xde) }],
  ["poke 8 0x0000000000000001",   { kind: "memoryPatched", address: 8, bytes: bytes(1, 0, 0, 0, 0, 0, 0, 0) }],
  ["poke 8 1",                    { kind: "memoryPatched", address: 8, bytes: bytes(1, 0, 0, 0, 0, 0, 0, 0) }],
  ["set cpu1 VBAR_EL1 0x800",     { kind: "registerPatched", target: 1, register: "VBAR_EL1", value: 0x800n }],
];

Deno.test("parseAction reads every action", () => {
  for (const [text, input] of ACTIONS) assertEquals(parseAction(text), input, text);
});

Deno.test("parseScript keeps lines in turn apart from lines at instants, which it sorts", () => {
  const text =
    '# boot\n\nexpect "=> "\r\nsend "x\\r" # go\nat 20 power cut\n  at 1_0 inject irq 1\nat 20 send "y"\n';
  const script = parseScript(text, "a.script");
  assertEquals(script.statements, [
    { line: 3, kind: "expect", text: "=> " },
    { line: 4, kind: "input", input: { kind: "consoleReceived", bytes: bytes(120, 13) } },
  ]);
  assertEquals(script.timed.map(({ line, instant }) => [line, instant]), [[6, 10], [5, 20], [7, 20]]);
});

// deno-fmt-ignore
const ERRORS: readonly (readonly [line: string, column: number, message: string])[] = [
  ['expct "x"',                    1, 'Did you mean "expect"?'],
  ['"x"',                          1, "expected expect, at"],
  ["expect x",                     8, "expected a text in double quotes, found x"],
  ["expect",                       7, "expected a text in double quotes"],
  ['expect ""',                    8, "the text is empty"],
  ['send "a',                      6, "expected a text in double quotes"],
  ['send "\\x41"',                 6, "no JSON string"],
  ['send "a" "b"',                10, 'expected the end of the line, found "b"'],
  ["at send",                      4, "expected an instant, found send"],
  ["at 9007199254740992 power cut", 4, "an instant is at most 9007199254740991"],
  ['at 5 expect "x"',              6, 'there is no "expect"'],
  ["inject 33",                    8, 'expected "irq", found 33'],
  ["inject irq 70000",            12, "an interrupt's number is at most 65535"],
  ["inject irq 3x",               12, "expected an interrupt's number"],
  ["power off",                    7, 'expected "cut", found off'],
  ["scale 1/0",                    7, "a ratio"],
  ["scale fast",                   7, "a ratio such as"],
  ["poke 0x40000000 0x123",       17, "2, 4, 8 or 16"],
  ["poke 0x40000000",             16, "expected a value"],
  ["poke 0x10000000000000 1",      6, "below 2^52"],
  ["set cpu x0 1",                 5, "cpu and its number"],
  ["set cpu0 x0 0x10000000000000000", 13, "64 bits"],
];

Deno.test("parseScript names file, line and column of what it cannot read", () => {
  for (const [line, column, message] of ERRORS) {
    const error = assertThrows(
      () => parseScript(`# first\n${line}\n`, "a.script"),
      UsageError,
      message,
      line,
    );
    assertEquals(error.message.split(": ")[0], `a.script:2:${column}`, line);
  }
});
